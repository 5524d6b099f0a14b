import { mergedLayers } from "../merge/merged-layers.js";
import type { Method, Plan } from "../plan/plan.js";
import type { SubsetLoss } from "../profile/observers/subset-loss.js";
import { statistic } from "../profile/statistic.js";
import { keepExperts } from "./keep-experts.js";

export interface NaeeOptions {
  /** experts that stay in every layer: a share in (0, 1] or a count in (1, E] */
  keep: number;
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
  needsFor: ({ keep }) => (keep === 1 ? [] : [`subsetLoss.${keep}`]),
  options: ["keep", "exclude"],

  plan(profile, options): Plan {
    const plan: Plan = { version: 1, for: profile.model.fingerprint, method: "naee", paper: "arXiv:2402.14800", options: { ...options }, layers: {} };
    for (const layer of mergedLayers(profile, options.exclude ?? [])) {
      const { experts } = profile.layers[layer];
      if (options.keep === 1 || options.keep === experts) continue;
      const { losses } = statistic<SubsetLoss>(profile, layer, `subsetLoss.${options.keep}`, `subsetLoss.${options.keep}`);
      const [best] = Object.entries(losses).reduce((least, tried) => (tried[1] < least[1] ? tried : least));
      const dropped = best.split(",").map(Number);
      plan.layers[layer] = keepExperts(Array.from({ length: experts }, (_, e) => e).filter((e) => !dropped.includes(e)), experts);
    }
    return plan;
  },
};
