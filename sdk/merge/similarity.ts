import type { LayerId } from "../model/spec.js";
import type { Profile } from "../profile/profile.js";
import type { Statistic } from "../profile/statistic.js";
import { statistic } from "../profile/statistic.js";
import { toUnit } from "../tensor/linalg/cosine-similarity.js";
import { cosineSimilarity } from "../tensor/linalg/cosine-similarity.js";
import { Rng } from "../tensor/rng.js";

/**
 * How alike two experts are, by the names of table 4 of arXiv:2310.01334 and of its code:
 * - `router-logits` (default): cosine of the experts' router-logit columns over the calibration tokens
 * - `router-weight`, `weight`, `gradient`, `weight-gradient`: cosine of rows, weights, gradients, their product
 * - `feature`, `feature.abs`: cosine of the mean (absolute) input over the tokens routed to each
 * - `weight-feature`, `router-weight-feature`: weights times the norm of each input channel
 * - `feature-correlation.lsa`, `feature-correlation.max`: best correlation between hidden neurons
 * - `mse`: how little the average of the two changes their outputs
 * - `random`: a random number per pair, the negative control
 * - `mean-output`, `routed-mean-output`: cosine of mean outputs over all tokens, or over those routed to each;
 *   `output`,
 * `output.routed`: mean cosine of outputs, token by token (not in the paper; what the code of arXiv:2510.13999 merges
 * by)
 */
export const similarities = ["router-logits", "router-weight", "weight", "feature", "feature.abs", "weight-feature",
  "gradient", "weight-gradient", "router-weight-feature", "mse", "feature-correlation.lsa", "feature-correlation.max",
  "random", "mean-output", "routed-mean-output", "output", "output.routed"] as const;
export type Similarity = (typeof similarities)[number];

/** The statistic that a similarity is read from; those without a table of their own are measured as a matrix. */
export function similarityNeeds(name: Similarity): Statistic[] {
  if (name === "random") return [];
  if (name === "router-logits") return ["routerLogits"];
  if (name === "feature") return ["meanInput"];
  if (name === "feature.abs") return ["meanAbsInput"];
  if (name === "mean-output") return ["meanOutput"];
  if (name === "routed-mean-output") return ["routedMeanOutput"];
  return [`similarity.${name}`];
}

/**
 * The similarity of every pair of a layer's experts, [E][E] symmetric with a diagonal of 1.
 * Cosines are mapped to [0, 1] as the paper's code does.
 *
 * @param rng draws the random similarity only
 * @throws MoeError `statistic-missing` when the profile was taken without what it needs
 */
export function similarityMatrix(profile: Profile, layer: LayerId, name: Similarity, rng: Rng): number[][] {
  if (name === "random") return randomSimilarity(profile.layers[layer].experts, rng);
  if (name === "router-logits") {
    const cosine = statistic<number[][]>(profile, layer, "routerLogitCosine", "routerLogits");
    return cosine.map((row, i) => row.map((value, j) => (i === j ? 1 : toUnit(value))));
  }
  if (name === "feature") return cosineSimilarity(statistic<number[][]>(profile, layer, "meanInput", "meanInput"));
  if (name === "feature.abs")
    return cosineSimilarity(statistic<number[][]>(profile, layer, "meanAbsInput", "meanAbsInput"));
  if (name === "mean-output")
    return cosineSimilarity(statistic<number[][]>(profile, layer, "meanOutput", "meanOutput"));
  if (name === "routed-mean-output")
    return cosineSimilarity(statistic<number[][]>(profile, layer, "routedMeanOutput", "routedMeanOutput"));
  return statistic<number[][]>(profile, layer, `similarity.${name}`, `similarity.${name}`);
}

function randomSimilarity(experts: number, rng: Rng): number[][] {
  const matrix = Array.from({ length: experts }, () => new Array<number>(experts).fill(1));
  for (let i = 0; i < experts; i++) for (let j = i + 1; j < experts; j++) matrix[i][j] = matrix[j][i] = rng.next();
  return matrix;
}
