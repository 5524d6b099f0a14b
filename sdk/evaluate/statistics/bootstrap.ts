import { MoeError } from "../../errors.js";
import { standardDeviation } from "../../statistics/mean.js";
import type { Rng } from "../../tensor/rng.js";

export interface BootstrapOptions {
  rng: Rng;
  /** samples with replacement; default 2000 */
  resamples?: number;
  /** of the interval; default 0.95 */
  level?: number;
}

/**
 * Standard error and percentile interval of any statistic, by resampling the items.
 * The items must be the independent draws: documents, not the tokens in them.
 *
 * @throws MoeError `no-values` for an empty array
 */
export function bootstrap<T>(
  items: readonly T[],
  statistic: (sample: T[]) => number,
  { rng, resamples = 2000, level = 0.95 }: BootstrapOptions,
): { stderr: number; low: number; high: number } {
  if (items.length === 0)
    throw new MoeError("no-values",
      "bootstrap: there are no items; accepted is one or more. Check that the task is not empty.");
  const draws = Float64Array.from({ length: resamples },
    () => statistic(Array.from(items, () => items[rng.int(items.length)]))).sort();
  return { stderr: standardDeviation(draws), low: quantile(draws, (1 - level) / 2),
    high: quantile(draws, (1 + level) / 2) };
}

/** Linear interpolation between order statistics. */
function quantile(sorted: Float64Array, share: number): number {
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}
