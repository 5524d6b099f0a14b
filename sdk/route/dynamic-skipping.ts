import { mergedLayers } from "../method/layers-to-change.js";
import type { Method } from "../method/method.js";
import { option } from "../method/option.js";
import type { Plan } from "../plan/plan.js";
import type { GateRatio } from "../profile/observers/gate-ratio.js";
import { statistic } from "../profile/statistic.js";

export interface DynamicSkippingOptions {
  /** the threshold of a layer: the "median" (default) or "mean" of its ratios, or one number for all layers */
  threshold?: "median" | "mean" | number;
  /** layers that stay as they are; default none */
  exclude?: string[];
}

/**
 * Skips a token's second expert when its gate is below a share of the first's: dynamic skipping of
 * arXiv:2402.14800, section 3.2. With the median, half the tokens run one expert.
 *
 * @example dynamicSkipping.plan(profile, {})
 */
export const dynamicSkipping: Method<DynamicSkippingOptions> = {
  name: "dynamic-skipping",
  paper: "arXiv:2402.14800",
  kind: "route",
  about: "skips a token's second expert when its gate is far below the first's",
  needs: ["usage", "gateRatio"],
  options: ["threshold", "exclude"],

  plan(profile, options): Plan {
    const { threshold = "median" } = options;
    const fixed = typeof threshold === "number" ? threshold : undefined;
    const statisticName = fixed === undefined
      ? option("route", "threshold", threshold as "median" | "mean", ["median", "mean"], "median")
      : "median";
    const plan: Plan = { version: 1, for: profile.model.fingerprint, method: "dynamic-skipping",
      paper: "arXiv:2402.14800", options: { ...options }, layers: {} };
    for (const layer of mergedLayers(profile, options.exclude ?? [])) {
      const skipBelow = fixed ?? statistic<GateRatio>(profile, layer, "gateRatio", "gateRatio")[statisticName];
      plan.layers[layer] = { router: { skipBelow } };
    }
    return plan;
  },
};
