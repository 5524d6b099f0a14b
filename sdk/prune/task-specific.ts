import { byFallingUsage } from "../method/falling-order.js";
import { mergedLayers } from "../method/layers-to-change.js";
import type { Method } from "../method/method.js";
import { option } from "../method/option.js";
import { keepPerLayer } from "../plan/keep.js";
import type { Plan } from "../plan/plan.js";
import { usage } from "../profile/profile.js";
import { Rng } from "../tensor/rng.js";
import { keepExperts } from "./keep-experts.js";

export interface TaskSpecificOptions {
  /** experts that stay in every layer: a share in (0, 1] or a count in (1, E] */
  keep: number;
  /** layers that stay as they are; default: the first MoE layer of the encoder, if there is one */
  exclude?: string[];
  /**
   * "additive" (default): the others are neither chosen nor stored. "released-product": all stay, and the logits of the
   * others are multiplied by -1e6, the slip of the released code of arXiv:2310.01334
   */
  mask?: "additive" | "released-product";
  /** which ones stay: the most used (default), or any, drawn by `seed`: the control */
  by?: "usage" | "random";
  /** default 0 */
  seed?: number;
}

/**
 * Where task-specific expert pruning (arXiv:2206.00277) ends: the most used experts of every layer. On the way there
 * it prunes step by step while the model is fine-tuned: `.train({ prune: { keep } })` in a chain, `EagerPruning` for
 * `train`.
 *
 * @example taskSpecific.plan(profile, { keep: 1 / 16 })
 */
export const taskSpecific: Method<TaskSpecificOptions> = {
  name: "task-specific",
  paper: "arXiv:2206.00277",
  kind: "prune",
  about: "keeps the experts that one task uses most, the same number in every layer",
  needs: ["usage"],
  options: ["keep", "exclude", "mask", "by", "seed"],
  plan(profile, options): Plan {
    const plan: Plan = { version: 1, for: profile.model.fingerprint, method: "task-specific", paper: "arXiv:2206.00277",
      options: { ...options }, layers: {} };
    const mask = option("prune", "mask", options.mask, ["additive", "released-product"], "additive");
    const by = option("prune", "by", options.by, ["usage", "random"], "usage");
    for (const layer of mergedLayers(profile, options.exclude)) {
      const shares = usage(profile.layers[layer]);
      const kept = Math.round(keepPerLayer(options.keep, shares.length, "prune"));
      if (kept === shares.length) continue;
      const order = by === "usage"
        ? byFallingUsage(shares)
        : new Rng(`task-specific ${options.seed ?? 0} ${layer}`).shuffle([...shares.keys()]);
      const stay = keepExperts(order.slice(0, kept), shares.length);
      plan.layers[layer] = mask === "additive" ? stay : { router: { ...stay.router, maskBy: mask } };
    }
    return plan;
  },
};
