import { byFallingUsage } from "../method/falling-order.js";
import { changeLayers } from "../method/layers-to-change.js";
import { method } from "../method/method.js";
import { excludeFirst, keep, seed } from "../method/usual-options.js";
import { keepPerLayer } from "../plan/keep.js";
import { usage } from "../profile/profile.js";
import { Rng } from "../tensor/rng.js";
import { keepExperts } from "./keep-experts.js";

/**
 * Where task-specific expert pruning (arXiv:2206.00277) ends: the most used experts of every layer. On the way there
 * it prunes step by step while the model is fine-tuned: `.train({ prune: { keep } })` in a chain, `EagerPruning` for
 * `train`.
 *
 * @example await planWith(taskSpecific, profile, { keep: 1 / 16 })
 */
export const taskSpecific = method({
  name: "task-specific",
  paper: "arXiv:2206.00277",
  kind: "prune",
  about: "keeps the experts that one task uses most, the same number in every layer",
  options: {
    keep,
    exclude: excludeFirst,
    mask: {
      about: `"additive": the others are neither chosen nor stored; "released-product": all stay, and the logits of the
        others are multiplied by -1e6, the slip of the released code of arXiv:2310.01334`,
      words: ["additive", "released-product"],
      default: "additive",
    },
    by: {
      about: "which ones stay: the most used, or any, drawn by seed: the control",
      words: ["usage", "random"],
      default: "usage",
    },
    seed,
  },
  plan: (profile, { keep, exclude, mask, by, seed }) =>
    changeLayers(profile, exclude, (layer, id) => {
      const shares = usage(layer);
      const kept = Math.round(keepPerLayer(keep, shares.length, "prune"));
      if (kept === shares.length) return undefined;
      const order = by === "usage"
        ? byFallingUsage(shares)
        : new Rng(`task-specific ${seed} ${id}`).shuffle([...shares.keys()]);
      const stay = keepExperts(order.slice(0, kept), shares.length);
      return mask === "additive" ? stay : { router: { ...stay.router, maskBy: mask } };
    }),
});
