import betaQuantile from "@stdlib/stats-base-dists-beta-quantile";
import { MoeError } from "../../errors.js";

/**
 * Exact interval of a share of successes (Clopper and Pearson 1934), right also near 0 and 1 where the standard error
 * is not.
 *
 * @throws MoeError `bad-count` unless successes is a whole number from 0 to n, and n at least 1
 * @example binomialInterval(0, 10)  // { low: 0, high: 0.308 }
 */
export function binomialInterval(successes: number, n: number, level = 0.95): { low: number; high: number } {
  if (!Number.isInteger(n) || n < 1 || !Number.isInteger(successes) || successes < 0 || successes > n) {
    throw new MoeError("bad-count",
      `binomialInterval: ${successes} of ${n}; accepted are whole numbers from 0 to n, n at least 1. Give `
        + "counts, not shares.");
  }
  const tail = (1 - level) / 2;
  return {
    low: successes === 0 ? 0 : betaQuantile(tail, successes, n - successes + 1),
    high: successes === n ? 1 : betaQuantile(1 - tail, successes + 1, n - successes),
  };
}
