import { MoeError } from "../errors.js";
import { dominantExperts } from "../method/dominant-experts.js";
import { byFallingUsage } from "../method/falling-order.js";
import { mergedLayers } from "../method/layers-to-change.js";
import { type Changes, method } from "../method/method.js";
import { combine, epsilon, excludeFirst, keep, seed } from "../method/usual-options.js";
import { keepPerLayer } from "../plan/keep.js";
import type { Alignment } from "../plan/plan.js";
import type { ActivationMatching } from "../profile/observers/activation-matching.js";
import { type Profile, usage } from "../profile/profile.js";
import { statistic } from "../profile/statistic.js";
import { Rng } from "../tensor/rng.js";
import { groupBySimilarity } from "./group-by-similarity.js";
import { memberWeightings, memberWeights } from "./member-weights.js";
import { similarities, similarityMatrix, similarityNeeds } from "./similarity.js";
import { spectralGroups } from "./spectral-groups.js";

const fisherWeightings = ["fisher", "fisher.classes"] as const;
type FisherWeighting = (typeof fisherWeightings)[number];

export interface CapacityOfStack {
  encoder?: number;
  decoder?: number;
}

const options = {
  keep: { ...keep, about: "experts that stay in a merged layer, on average: a share in (0, 1] or a count in (1, E]" },
  similarity: { about: "what makes two experts alike", words: similarities, default: "router-logits" },
  grouping: {
    about: `"leaders": everyone joins the most similar of the most used experts; "spectral": as many groups by spectral
      clustering, each led by its most used member (in the released code, not in the paper)`,
    words: ["leaders", "spectral"],
    default: "leaders",
  },
  ratio: {
    about: `"adaptive": skewed layers keep fewer; "uniform": the same number in every layer`,
    words: ["adaptive", "uniform"],
    default: "adaptive",
  },
  result: {
    about: `"mean": the group's weighted average; "leader": the leader itself, to which tokens are redirected`,
    words: ["mean", "leader"],
    default: "mean",
  },
  weights: {
    about: `how members count in the mean; "fisher" weighs each parameter by its Fisher information, "fisher.classes" is
      its exact form for tasks of classification`,
    words: [...memberWeightings, ...fisherWeightings],
    default: "frequency",
  },
  align: {
    about: `how the hidden neurons of members are put into a common order before the mean; "zip": neurons of all members
      are merged by their weights (within_and_across_models in the released code)`,
    words: ["none", "weights", "activations", "zip"],
    default: "weights",
  },
  alignTo: {
    about: `the common order: that of the layer's first expert, as the paper does, of the group's leader, or of its
      "lowest" member (permute in the released code)`,
    words: ["first", "leader", "lowest"],
    default: "first",
  },
  capacity: {
    about: "members that a group may have, the leader included, in all layers or by stack",
    from: 1,
    is: (value: unknown): value is CapacityOfStack =>
      typeof value === "object" && value !== null
      && Object.entries(value).every(([stack, most]) => ["encoder", "decoder"].includes(stack) && most >= 1),
    says: "a number from 1, or { encoder, decoder }",
    otherwise: "no limit",
  },
  exclude: excludeFirst,
  releasedSlip: { about: `with ratio "uniform": replay the grouping slip of the released code`, default: false },
  epsilon,
  combine,
  seed,
} as const;

/**
 * Merges the experts of a layer into few: M-SMoE of "Merge, Then Compress", arXiv:2310.01334, section 3.
 * The steps are in the paper's order; the router stays, so several of its outputs then lead to one expert.
 *
 * @example await planWith(mSmoe, profile, { keep: 0.25 })
 */
export const mSmoe = method({
  name: "m-smoe",
  paper: "arXiv:2310.01334",
  kind: "merge",
  about: "groups experts around the most used ones by router logits and averages each group by usage",
  options,
  needs:
    ({ similarity, align, alignTo, weights }) => [...similarityNeeds(similarity),
      ...(isFisher(weights) ? [weights] : []),
      ...(align === "activations" ? [alignTo === "first" ? "activationMatching" : "activationMatching.all"] : [])],

  plan(profile, options) {
    const { similarity, ratio, result, weights: weighting, align, alignTo, capacity, releasedSlip } = options;
    const spectral = options.grouping === "spectral";
    if (spectral && (capacity !== undefined || releasedSlip)) {
      throw new MoeError("option-conflict",
        `merge: grouping "spectral" with ${releasedSlip ? "releasedSlip" : "capacity"}; that is `
          + `about experts who join leaders one by one. Leave it out, or choose grouping "leaders".`);
    }
    const merged = new Set(mergedLayers(profile, options.exclude));
    const rng = new Rng(options.seed);

    const layers = Object.keys(profile.layers);
    const shares = layers.map((layer) => usage(profile.layers[layer]));
    const keep = shares.map((row) => keepPerLayer(options.keep, row.length, "merge"));
    const excluded = layers.flatMap((layer, index) => (merged.has(layer) ? [] : [index]));

    // section 3.2: dominant experts, by usage over all layers
    const leaders = dominantExperts(shares, keep, { ratio, excluded });

    const changes: Changes = { layers: {} };
    layers.forEach((layer, index) => {
      const everyoneStays = keep[index] === shares[index].length;
      if (!merged.has(layer) || everyoneStays) return;

      // equation 1 and algorithm 1: everyone else joins the leader that it resembles most
      const alike = similarityMatrix(profile, layer, similarity, rng);
      const labels = spectral
        ? spectralGroups(alike, leaders[index].length)
        : groupBySimilarity(shares[index], alike, leaders[index], {
          capacity: typeof capacity === "object"
            ? capacity[layer.startsWith("encoder.") ? "encoder" : "decoder"]
            : capacity,
          releasedSlip: ratio === "uniform" && releasedSlip,
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
      changes.layers[layer] = { slots, expertOf: labels, ...(options.combine && { router: { combine: true } }) };
    });
    return changes;
  },
});

/** The most used expert of each group; of equals the lowest. */
function mostUsed(labels: number[], shares: number[]): number[] {
  const order = byFallingUsage(shares);
  return Array.from({ length: 1 + Math.max(...labels) },
    (_, group) => order.find((expert) => labels[expert] === group)!);
}

function isFisher(weights: string): weights is FisherWeighting {
  return (fisherWeightings as readonly unknown[]).includes(weights);
}

/** section 3.1: the request that apply carries out; activation matching was solved while profiling */
function alignment(
  profile: Profile,
  layer: string,
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
