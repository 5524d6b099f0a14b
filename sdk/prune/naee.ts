import { changeLayers, mergedLayers } from "../method/layers-to-change.js";
import { method } from "../method/method.js";
import type { Filled } from "../method/options.js";
import { excludeNone, keep } from "../method/usual-options.js";
import { keepPerLayer } from "../plan/keep.js";
import type { SubsetLoss } from "../profile/observers/subset-loss.js";
import { statistic } from "../profile/statistic.js";
import { keepExperts } from "./keep-experts.js";
import { keptOf, progressiveSubsetLoss } from "./naee-progressive.js";

const options = {
  keep,
  procedure: {
    about: `what the layers before a layer are while its subsets are tried: "layerwise", as they were; "progressive",
      pruned already, and a layer's output is compared with that of the original model: one sweep for each layer`,
    words: ["layerwise", "progressive"],
    default: "layerwise",
  },
  maxSubsets: { about: "most subsets of a layer that are tried", from: 1, otherwise: "20,000" },
  exclude: excludeNone,
} as const;

/**
 * Not All Experts are Equal, arXiv:2402.14800: in every layer keeps the subset of experts that changes the layer's
 * output least; of equals the first in lexicographic order of what is dropped. Every subset was tried while
 * profiling, so it is for layers with few experts.
 *
 * @example await planWith(naee, profile, { keep: 6 })
 */
export const naee = method({
  name: "naee",
  paper: "arXiv:2402.14800",
  kind: "prune",
  about: "tries every subset of experts and keeps the one that changes the layer's output least",
  options,
  needs: (options) => (options.keep === 1 || options.procedure === "progressive" ? [] : [statisticOf(options)]),
  async measure(profile, options, { spec, sweep }) {
    const name = statisticOf(options);
    const layers = mergedLayers(profile, options.exclude).filter((layer) =>
      keepPerLayer(options.keep, profile.layers[layer].experts, "prune") < profile.layers[layer].experts
    );
    if (options.procedure !== "progressive" || layers.every((layer) => name in profile.layers[layer])) return {};
    return { [name]: await progressiveSubsetLoss(spec, layers, options.keep, options.maxSubsets, sweep) };
  },
  plan: (profile, options) =>
    changeLayers(profile, options.exclude, ({ experts }, layer) => {
      if (keepPerLayer(options.keep, experts, "prune") === experts) return undefined;
      const name = statisticOf(options);
      return keepExperts(keptOf(statistic<SubsetLoss>(profile, layer, name, name), experts), experts);
    }),
});

function statisticOf({ keep, procedure, maxSubsets }: Filled<typeof options>): string {
  return `subsetLoss${procedure === "progressive" ? ".progressive" : ""}.${keep}${
    maxSubsets === undefined ? "" : `.most.${maxSubsets}`
  }`;
}
