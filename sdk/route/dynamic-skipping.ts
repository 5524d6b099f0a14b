import { changeLayers } from "../method/layers-to-change.js";
import { method } from "../method/method.js";
import { excludeNone } from "../method/usual-options.js";
import type { GateRatio } from "../profile/observers/gate-ratio.js";
import { statistic } from "../profile/statistic.js";

/**
 * Skips a token's second expert when its gate is below a share of the first's: dynamic skipping of
 * arXiv:2402.14800, section 3.2. With the median, half the tokens run one expert.
 *
 * @example await planWith(dynamicSkipping, profile, {})
 */
export const dynamicSkipping = method({
  name: "dynamic-skipping",
  paper: "arXiv:2402.14800",
  kind: "route",
  about: "skips a token's second expert when its gate is far below the first's",
  options: {
    threshold: {
      about: "the threshold of a layer: the median or mean of its ratios, or one number for all layers",
      words: ["median", "mean"],
      from: 0,
      default: "median",
    },
    exclude: excludeNone,
  },
  needs: ["gateRatio"],
  plan: (profile, { threshold, exclude }) =>
    changeLayers(profile, exclude, (_, layer) => ({
      router: {
        skipBelow: typeof threshold === "number"
          ? threshold
          : statistic<GateRatio>(profile, layer, "gateRatio", "gateRatio")[threshold],
      },
    })),
});
