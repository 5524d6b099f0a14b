import { MoeError } from "../errors.js";
import { dominantExperts } from "../method/dominant-experts.js";
import { byFallingUsage } from "../method/falling-order.js";
import { mergedLayers } from "../method/layers-to-change.js";
import type { Method } from "../method/method.js";
import { option } from "../method/option.js";
import type { LayerId } from "../model/spec.js";
import { keepPerLayer } from "../plan/keep.js";
import type { Alignment, LayerPlan, Plan } from "../plan/plan.js";
import type { ActivationMatching } from "../profile/observers/activation-matching.js";
import { type Profile, usage } from "../profile/profile.js";
import { statistic } from "../profile/statistic.js";
import { Rng } from "../tensor/rng.js";
import { groupBySimilarity } from "./group-by-similarity.js";
import { type MemberWeighting, memberWeightings, memberWeights } from "./member-weights.js";
import { similarities, type Similarity, similarityMatrix, similarityNeeds } from "./similarity.js";
import { spectralGroups } from "./spectral-groups.js";

const fisherWeightings = ["fisher", "fisher.classes"] as const;
type FisherWeighting = (typeof fisherWeightings)[number];

export interface MSmoeOptions {
  /** experts that stay in a merged layer, on average: a share in (0, 1] or a count in (1, E] */
  keep: number;
  /** what makes two experts alike; default "router-logits" */
  similarity?: Similarity;
  /**
   * "leaders" (default): everyone joins the most similar of the most used experts. "spectral": spectral clustering of
   * the
   * similarities into as many groups, each led by its most used member (in the released code, not in the paper)
   */
  grouping?: "leaders" | "spectral";
  /** "adaptive" (default): skewed layers keep fewer. "uniform": the same number in every layer */
  ratio?: "adaptive" | "uniform";
  /**
   * "mean" (default): the group's weighted average. "leader": the leader itself; nothing is averaged, tokens are
   * redirected
   */
  result?: "mean" | "leader";
  /**
   * how members count in the mean; default "frequency". "fisher" weighs each parameter by its Fisher information, which
   * a
   * chain measures on its data; "fisher.classes" is its exact form for tasks of classification
   */
  weights?: MemberWeighting | FisherWeighting;
  /**
   * how the hidden neurons of members are put into a common order before the mean; default "weights". "zip": neurons of
   * all members are merged by their weights, within and across experts (`within_and_across_models` in the released
   * code)
   */
  align?: "none" | "weights" | "activations" | "zip";
  /**
   * the common order: that of the layer's first expert (default, as the paper does), of the group's leader, or of its
   * "lowest" member (`permute` in the released code, which permutes inside the group)
   */
  alignTo?: "first" | "leader" | "lowest";
  /** members that a group may have, the leader included, in all layers or by stack; default: no limit */
  capacity?: number | { encoder?: number; decoder?: number };
  /** layers that stay as they are; default: the first MoE layer of the encoder, if there is one */
  exclude?: LayerId[];
  /** with ratio "uniform": replay the grouping slip of the released code; default false */
  releasedSlip?: boolean;
  /** added to the sum of a group's weights before they are divided by it: 1e-7 in the released code; default 0 */
  epsilon?: number;
  /**
   * run a merged expert once for a token that chose two of its members, with the sum of their gates: the same result
   * for less; default false
   */
  combine?: boolean;
  /** of random similarity and random weights; default 0 */
  seed?: number;
}

/**
 * Merges the experts of a layer into few: M-SMoE of "Merge, Then Compress", arXiv:2310.01334, section 3.
 * The steps are in the paper's order; the router stays, so several of its outputs then lead to one expert.
 *
 * @example mSmoe.plan(profile, { keep: 0.25 })
 */
export const mSmoe: Method<MSmoeOptions> = {
  name: "m-smoe",
  paper: "arXiv:2310.01334",
  kind: "merge",
  about: "groups experts around the most used ones by router logits and averages each group by usage",
  needs: ["usage"],
  needsFor:
    ({ similarity = "router-logits", align, alignTo, weights }) => [...similarityNeeds(similarity),
      ...(isFisher(weights) ? [weights] : []),
      ...(align === "activations"
        ? [alignTo === "leader" || alignTo === "lowest" ? "activationMatching.all" : "activationMatching"]
        : [])],
  options: ["keep", "similarity", "grouping", "ratio", "result", "weights", "align", "alignTo", "capacity", "exclude",
    "releasedSlip", "epsilon", "combine", "seed"],

  plan(profile: Profile, options: MSmoeOptions): Plan {
    const similarity = option("merge", "similarity", options.similarity, similarities, "router-logits");
    const spectral = option("merge", "grouping", options.grouping, ["leaders", "spectral"], "leaders") === "spectral";
    const ratio = option("merge", "ratio", options.ratio, ["adaptive", "uniform"], "adaptive");
    const result = option("merge", "result", options.result, ["mean", "leader"], "mean");
    const weighting = option("merge", "weights", options.weights, [...memberWeightings, ...fisherWeightings],
      "frequency");
    const align = option("merge", "align", options.align, ["none", "weights", "activations", "zip"], "weights");
    const alignTo = option("merge", "alignTo", options.alignTo, ["first", "leader", "lowest"], "first");
    if (spectral && (options.capacity !== undefined || options.releasedSlip)) {
      throw new MoeError("option-conflict",
        `merge: grouping "spectral" with ${options.releasedSlip ? "releasedSlip" : "capacity"}; that is `
          + `about experts who join leaders one by one. Leave it out, or choose grouping "leaders".`);
    }
    const merged = new Set(mergedLayers(profile, options.exclude));
    const rng = new Rng(options.seed ?? 0);

    const layers = Object.keys(profile.layers);
    const shares = layers.map((layer) => usage(profile.layers[layer]));
    const keep = shares.map((row) => keepPerLayer(options.keep, row.length, "merge"));
    const excluded = layers.flatMap((layer, index) => (merged.has(layer) ? [] : [index]));

    // section 3.2: dominant experts, by usage over all layers
    const leaders = dominantExperts(shares, keep, { ratio, excluded });

    const plan: Plan = { version: 1, for: profile.model.fingerprint, method: "m-smoe", paper: "arXiv:2310.01334",
      options: { ...options }, layers: {} };
    layers.forEach((layer, index) => {
      const everyoneStays = keep[index] === shares[index].length;
      if (!merged.has(layer) || everyoneStays) return;

      // equation 1 and algorithm 1: everyone else joins the leader that it resembles most
      const alike = similarityMatrix(profile, layer, similarity, rng);
      const labels = spectral
        ? spectralGroups(alike, leaders[index].length)
        : groupBySimilarity(shares[index], alike, leaders[index], {
          capacity: typeof options.capacity === "object"
            ? options.capacity[layer.startsWith("encoder.") ? "encoder" : "decoder"]
            : options.capacity,
          releasedSlip: ratio === "uniform" && options.releasedSlip,
        });

      // equation 2: one expert for each group, its leader named first
      const slots = (spectral ? mostUsed(labels, shares[index]) : leaders[index]).map((leader, group) => {
        if (result === "leader") return { from: [{ expert: leader, weight: 1 }] };
        const members = [leader,
          ...labels.flatMap((label, expert) => (label === group && expert !== leader ? [expert] : []))];
        const weights = memberWeights(shares[index], members, isFisher(weighting) ? "uniform" : weighting, rng,
          options.epsilon);
        const from = members.map((expert, place) => ({ expert, weight: weights[place] }));
        if (align === "zip" && members.length > 1) return { from, zip: "weights" as const };
        return { from, ...(isFisher(weighting) && { elementwise: weighting }),
          ...alignment(profile, layer, align, alignTo, members) };
      });
      plan.layers[layer] = { slots, expertOf: labels,
        ...(options.combine && { router: { combine: true } }) } satisfies LayerPlan;
    });
    return plan;
  },
};

/** The most used expert of each group; of equals the lowest. */
function mostUsed(labels: number[], shares: number[]): number[] {
  const order = byFallingUsage(shares);
  return Array.from({ length: 1 + Math.max(...labels) },
    (_, group) => order.find((expert) => labels[expert] === group)!);
}

function isFisher(weights?: MSmoeOptions["weights"]): weights is FisherWeighting {
  return (fisherWeightings as readonly unknown[]).includes(weights);
}

/** section 3.1: the request that apply carries out; activation matching was solved while profiling */
function alignment(
  profile: Profile,
  layer: LayerId,
  by: "none" | "weights" | "activations" | "zip",
  to: "first" | "leader" | "lowest",
  members: number[],
): { align?: Alignment } {
  if (by === "none" || by === "zip") return {};
  if (by === "weights") return { align: { by, to } };
  const name = to === "first" ? "activationMatching" : "activationMatching.all";
  const matching = statistic<ActivationMatching>(profile, layer, name, name);
  return {
    align: { by, to, permutations: matching[to === "first" ? 0 : to === "leader" ? members[0] : Math.min(...members)] },
  };
}
