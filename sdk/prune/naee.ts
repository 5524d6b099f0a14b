import { mergedLayers } from "../method/layers-to-change.js";
import type { Method } from "../method/method.js";
import { option } from "../method/option.js";
import { keepPerLayer } from "../plan/keep.js";
import type { Plan } from "../plan/plan.js";
import type { SubsetLoss } from "../profile/observers/subset-loss.js";
import { statistic } from "../profile/statistic.js";
import { keepExperts } from "./keep-experts.js";
import { keptOf, progressiveSubsetLoss } from "./naee-progressive.js";

export interface NaeeOptions {
  /** experts that stay in every layer: a share in (0, 1] or a count in (1, E] */
  keep: number;
  /**
   * what the layers before a layer are while its subsets are tried: "layerwise" (default), as they were; "progressive",
   * pruned already, and a layer's output is compared with that of the original model. Sweeps the model once for each
   * layer
   */
  procedure?: "layerwise" | "progressive";
  /** most subsets of a layer that are tried; default 20,000 */
  maxSubsets?: number;
  /** layers that stay as they are; default none */
  exclude?: string[];
}

/**
 * Not All Experts are Equal, arXiv:2402.14800: in every layer keeps the subset of experts that changes the layer's
 * output least; of equals the first in lexicographic order of what is dropped. Every subset was tried while
 * profiling, so it is for layers with few experts.
 *
 * @example naee.plan(profile, { keep: 6 })
 */
export const naee: Method<NaeeOptions> = {
  name: "naee",
  paper: "arXiv:2402.14800",
  kind: "prune",
  about: "tries every subset of experts and keeps the one that changes the layer's output least",
  needs: ["usage"],
  needsFor: (options) => (options.keep === 1 || options.procedure === "progressive" ? [] : [statisticOf(options)]),
  async measure(profile, options, { spec, sweep }) {
    const name = statisticOf(options);
    const layers = mergedLayers(profile, options.exclude ?? []).filter((layer) =>
      keepPerLayer(options.keep, profile.layers[layer].experts, "prune") < profile.layers[layer].experts
    );
    if (options.procedure !== "progressive" || layers.every((layer) => name in profile.layers[layer])) return {};
    return { [name]: await progressiveSubsetLoss(spec, layers, options.keep, options.maxSubsets, sweep) };
  },
  options: ["keep", "procedure", "maxSubsets", "exclude"],

  plan(profile, options): Plan {
    const plan: Plan = { version: 1, for: profile.model.fingerprint, method: "naee", paper: "arXiv:2402.14800",
      options: { ...options }, layers: {} };
    option("prune", "procedure", options.procedure, ["layerwise", "progressive"], "layerwise");
    for (const layer of mergedLayers(profile, options.exclude ?? [])) {
      const { experts } = profile.layers[layer];
      if (keepPerLayer(options.keep, experts, "prune") === experts) continue;
      const name = statisticOf(options);
      plan.layers[layer] = keepExperts(keptOf(statistic<SubsetLoss>(profile, layer, name, name), experts), experts);
    }
    return plan;
  },
};

function statisticOf({ keep, procedure, maxSubsets }: NaeeOptions): string {
  return `subsetLoss${procedure === "progressive" ? ".progressive" : ""}.${keep}${
    maxSubsets === undefined ? "" : `.most.${maxSubsets}`
  }`;
}
