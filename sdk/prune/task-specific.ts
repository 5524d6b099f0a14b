import { byFallingUsage } from "../merge/by-falling-usage.js";
import { mergedLayers } from "../merge/merged-layers.js";
import { keepPerLayer } from "../plan/keep.js";
import type { Method, Plan } from "../plan/plan.js";
import { usage } from "../profile/profile.js";
import { keepExperts } from "./keep-experts.js";

export interface TaskSpecificOptions {
  /** experts that stay in every layer: a share in (0, 1] or a count in (1, E] */
  keep: number;
  /** layers that stay as they are; default: the first MoE layer of the encoder, if there is one */
  exclude?: string[];
}

/**
 * Where task-specific expert pruning (arXiv:2206.00277) ends: the most used experts of every layer. On the way there
 * it prunes step by step while the model is fine-tuned: see `EagerPruner`.
 *
 * @example taskSpecific.plan(profile, { keep: 1 / 16 })
 */
export const taskSpecific: Method<TaskSpecificOptions> = {
  name: "task-specific",
  paper: "arXiv:2206.00277",
  kind: "prune",
  about: "keeps the experts that one task uses most, the same number in every layer",
  needs: ["usage"],
  options: ["keep", "exclude"],
  plan(profile, options): Plan {
    const plan: Plan = { version: 1, for: profile.model.fingerprint, method: "task-specific", paper: "arXiv:2206.00277", options: { ...options }, layers: {} };
    for (const layer of mergedLayers(profile, options.exclude)) {
      const shares = usage(profile.layers[layer]);
      const kept = Math.round(keepPerLayer(options.keep, shares.length, "prune"));
      if (kept < shares.length) plan.layers[layer] = keepExperts(byFallingUsage(shares).slice(0, kept), shares.length);
    }
    return plan;
  },
};
