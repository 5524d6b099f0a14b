import tQuantile from "@stdlib/stats-base-dists-t-quantile";
import { MoeError } from "../../errors.js";

/**
 * How many pairs (seeds, teachers) a two-sided paired t test needs to see a difference.
 * The smallest n with n >= ((t(1 - alpha/2) + t(power)) sd / difference)^2, both quantiles at n - 1 degrees of freedom;
 * for large n this is 7.85 (sd / difference)^2 at the defaults.
 *
 * @param sd of the paired differences
 * @param difference the smallest that matters, in the same unit
 * @throws MoeError `bad-power` for a difference of zero or a share outside (0, 1)
 * @example pairsNeeded(2, 1)  // 34
 */
export function pairsNeeded(
  sd: number,
  difference: number,
  { power = 0.8, alpha = 0.05 }: { power?: number; alpha?: number } = {},
): number {
  if (!(sd >= 0) || !(Math.abs(difference) > 0) || !(power > 0 && power < 1) || !(alpha > 0 && alpha < 1)) {
    throw new MoeError("bad-power",
      `pairsNeeded: sd ${sd}, difference ${difference}, power ${power}, alpha ${alpha}; accepted are sd >= `
        + "0, a difference other than 0, and shares between 0 and 1. Give the sd of a pilot.");
  }
  const enough = (n: number): boolean =>
    n >= ((tQuantile(1 - alpha / 2, n - 1) + tQuantile(power, n - 1)) * (sd / difference)) ** 2;
  let high = 2;
  while (!enough(high) && high < 2 ** 40) high *= 2;
  let low = Math.max(1, high / 2);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (enough(middle)) high = middle;
    else low = middle;
  }
  return high;
}
