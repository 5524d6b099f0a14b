import { byFallingUsage } from "../method/falling-order.js";
import { mergedLayers } from "../method/layers-to-change.js";
import type { Method } from "../method/method.js";
import { option } from "../method/option.js";
import { keepPerLayer } from "../plan/keep.js";
import type { Plan } from "../plan/plan.js";
import type { Saliency } from "../profile/observers/saliency.js";
import { statistic } from "../profile/statistic.js";
import { keepExperts } from "./keep-experts.js";
import { lowestAsTorch } from "./lowest-as-torch.js";

/** REAP and the criteria that it was compared with; "frequency" counts choices. */
export const reapCriteria = ["reap", "eanMean", "eanSum", "weightedEanSum", "eanCa", "weightedFrequency",
  "maxActivation", "frequency"] as const;

export interface ReapOptions {
  /** experts that stay in every layer: a share in (0, 1] or a count in (1, E] */
  keep: number;
  /** what makes an expert worth keeping; default "reap": its mean gate times output norm where it is used */
  criterion?: (typeof reapCriteria)[number];
  /** who stays of equals: "lower" (default), the lower index; "torch", whom the released code's topk leaves over */
  ties?: "lower" | "torch";
  /** layers that stay as they are; default none */
  exclude?: string[];
}

/**
 * Router-weighted expert activation pruning, REAP, arXiv:2510.13999: keeps the same number of experts in every
 * layer, those with the largest criterion.
 *
 * @example reap.plan(profile, { keep: 0.5 })
 */
export const reap: Method<ReapOptions> = {
  name: "reap",
  paper: "arXiv:2510.13999",
  kind: "prune",
  about: "keeps the experts with the largest mean gate times output norm",
  needs: ["usage", "saliency"],
  options: ["keep", "criterion", "ties", "exclude"],

  plan(profile, options): Plan {
    const criterion = option("prune", "criterion", options.criterion, reapCriteria, "reap");
    const ties = option("prune", "ties", options.ties, ["lower", "torch"], "lower");
    const plan: Plan = { version: 1, for: profile.model.fingerprint, method: "reap", paper: "arXiv:2510.13999",
      options: { ...options }, layers: {} };
    for (const layer of mergedLayers(profile, options.exclude ?? [])) {
      const { experts, counts } = profile.layers[layer];
      // a share rounds so that what is dropped is floor(E (1 - keep)), as the reference code counts
      const kept = Math.ceil(keepPerLayer(options.keep, experts, "prune") - 1e-9);
      if (kept === experts) continue;
      const score = criterion === "frequency"
        ? counts
        : statistic<Saliency>(profile, layer, "saliency", "saliency")[criterion];
      const dropped = ties === "torch" ? lowestAsTorch(score, experts - kept) : byFallingUsage(score).slice(kept);
      plan.layers[layer] = keepExperts(score.map((_, expert) => expert).filter((expert) => !dropped.includes(expert)),
        experts);
    }
    return plan;
  },
};
