import tCdf from "@stdlib/stats-base-dists-t-cdf";
import tQuantile from "@stdlib/stats-base-dists-t-quantile";
import { mean, meanStderr, standardDeviation } from "../../statistics/mean.js";

/** A mean of paired differences with its interval. */
export interface PairedInterval {
  mean: number;
  /** standard deviation of the differences */
  sd: number;
  low: number;
  high: number;
  /** two-sided, of the mean being zero */
  p: number;
  n: number;
}

/**
 * Student's t interval of the mean of paired differences (equivalently the paired t test).
 * One pair says nothing: its interval is the whole line and p is 1. Differences that are all the same and not zero
 * have p = 0.
 *
 * @param differences one per pair
 * @param level default 0.95
 * @example pairedT([1, 2, 3])  // mean 2, from -0.48 to 4.48, p = 0.074
 */
export function pairedT(differences: ArrayLike<number>, level = 0.95): PairedInterval {
  const n = differences.length;
  const center = mean(differences);
  if (n < 2) return { mean: center, sd: NaN, low: -Infinity, high: Infinity, p: 1, n };
  const stderr = meanStderr(differences);
  const half = tQuantile((1 + level) / 2, n - 1) * stderr;
  const p = stderr > 0 ? 2 * tCdf(-Math.abs(center) / stderr, n - 1) : center === 0 ? 1 : 0;
  return { mean: center, sd: standardDeviation(differences), low: center - half, high: center + half, p, n };
}
