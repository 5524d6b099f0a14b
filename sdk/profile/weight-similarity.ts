import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import { alignedExperts, disposeExperts, inOrder, readExpert } from "../match/aligned-experts.js";
import { type ExpertMatrices, weightMatching } from "../match/weight-matching.js";
import { type ModelSpec, type MoeFfnSpec, moeLayers } from "../model/spec.js";
import type { WeightSource } from "../model/weight-source.js";
import { tf } from "../tensor/index.js";
import { cosineSimilarity } from "../tensor/linalg/cosine-similarity.js";
import { gramOf } from "./gram.js";
import type { ChannelNorms } from "./observers/channel-norms.js";
import { rows } from "./observers/sums.js";
import type { Profile } from "./profile.js";
import { statistic } from "./statistic.js";

/** Similarities that are read off weights rather than tokens; the last two also need `channelNorms` in the profile. */
export const weightSimilarities = ["router-weight", "weight", "gradient", "weight-gradient", "weight-feature",
  "router-weight-feature"] as const;
export type WeightSimilarity = (typeof weightSimilarities)[number];

export interface WeightSimilarityOptions {
  /** gradients of the loss, under the names of the weights; for the two gradient similarities */
  gradients?: WeightSource;
}

/**
 * Adds a similarity of experts by their weights to a profile, as `similarity.NAME`: cosines mapped to [0, 1].
 * Experts are compared after weight matching to the layer's first; the vectors are
 * - `router-weight`: the router's row; `weight`: all matrices of the expert, flattened
 * - `weight-feature`: the first matrix times the norm of each input channel over the expert's tokens
 * - `router-weight-feature`: the router's row times the norm of each channel over all tokens
 * - `gradient`, `weight-gradient`: gradients, and weights times gradients
 *
 * @returns a new profile
 * @throws MoeError `statistic-missing`, `gradients-missing`
 */
export async function withWeightSimilarity(
  profile: Profile,
  model: { spec: ModelSpec; weights: WeightSource },
  name: WeightSimilarity,
  options: WeightSimilarityOptions = {},
): Promise<Profile> {
  if (name.endsWith("gradient") && !options.gradients) {
    throw new MoeError("gradients-missing",
      `profile: the similarity "${name}" compares gradients, which were not given. Pass { gradients }.`);
  }
  const layers = { ...profile.layers };
  for (const { id, ffn } of moeLayers(model.spec)) {
    if (layers[id]) layers[id] = { ...layers[id], [`similarity.${name}`]: await similarityOf(id, ffn, name) };
  }
  return { ...profile, layers };

  async function similarityOf(id: string, ffn: MoeFfnSpec, name: WeightSimilarity): Promise<number[][]> {
    const norms = name.endsWith("-feature")
      ? statistic<ChannelNorms>(profile, id, "channelNorms", "channelNorms")
      : undefined;
    if (name === "router-weight")
      return cosineSimilarity(rows(await model.weights.values(`${id}.router`), model.spec.width));
    if (name === "router-weight-feature") {
      return cosineSimilarity(
        rows(await model.weights.values(`${id}.router`), model.spec.width).map((row) =>
          row.map((value, d) => value * norms!.all[d])
        ),
      );
    }
    const experts = await alignedExperts(model.weights, id, ffn);
    const gradients = options.gradients && name.endsWith("gradient")
      ? await alignedLike(options.gradients, model.weights, id, ffn)
      : undefined;
    const vectors: Tensor[] = ffn.expertOf.map((slot, expert) =>
      tf.tidy(() => {
        if (slot < 0) return tf.zeros([1]);
        const { up, gate, down } = experts[slot];
        if (name === "weight-feature") return tf.reshape(tf.mul(up, tf.tensor1d(norms!.routed[expert])), [-1]);
        const parts = (from: { up: Tensor2D; gate?: Tensor2D; down: Tensor2D }) =>
          [from.up, ...(from.gate ? [from.gate] : []), from.down].map((part) => tf.reshape(part, [-1]));
        const flat = tf.concat(parts({ up, gate, down }));
        if (name === "weight") return flat;
        const gradient = tf.concat(parts(gradients![slot]));
        return name === "gradient" ? gradient : tf.mul(flat, gradient);
      })
    );
    disposeExperts(experts);
    if (gradients) disposeExperts(gradients);
    return cosinesOf(vectors, ffn.expertOf);
  }
}

/** gradients with their neurons in the order that the weights were brought into */
async function alignedLike(gradients: WeightSource, weights: WeightSource, id: string, ffn: MoeFfnSpec) {
  const first = await readExpert(weights, id, 0);
  const moved: ExpertMatrices[] = [];
  for (let slot = 0; slot < ffn.slots.length; slot++) {
    const gradient = await readExpert(gradients, id, slot);
    if (slot === 0) {
      moved.push(gradient);
      continue;
    }
    const expert = await readExpert(weights, id, slot);
    moved.push(inOrder(gradient, await weightMatching(first, expert)));
    disposeExperts([expert]);
  }
  disposeExperts([first]);
  return moved;
}

/** mapped cosines of vectors on the engine; takes them */
async function cosinesOf(vectors: Tensor[], expertOf: number[]): Promise<number[][]> {
  const gram = await gramOf(vectors.map((vector, e) => (expertOf[e] < 0 ? undefined : vector)));
  tf.dispose(vectors);
  return gram.map((row, i) =>
    row.map((value, j) => (i === j ? 1 : (value / (Math.sqrt(gram[i][i]) * Math.sqrt(gram[j][j]) + 1e-7) + 1) / 2))
  );
}
