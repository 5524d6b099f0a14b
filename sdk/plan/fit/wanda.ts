import { checkOptions, isFlag, isPattern, isShare } from "./fit-options.js";
import type { Fitter } from "./fitter.js";
import { dropInRows, type Sparsity } from "./masks.js";

export interface WandaOptions extends Sparsity {
  /** a row may lose more than another: each loses the same part of its scores' sum, found for the share as released */
  variant?: boolean;
}

/**
 * Wanda (arXiv:2306.11695): a weight counts |w| times the norm of its input, and of each row the smallest go.
 *
 * @param norms [in] of the inputs, at any scale
 */
export function wandaValues(
  weight: Float32Array,
  shape: readonly [number, number],
  norms: ArrayLike<number>,
  { variant = false, ...sparsity }: WandaOptions = {},
): Float32Array {
  const width = shape[1];
  const score = (r: number, j: number) => Math.fround(Math.abs(weight[r * width + j]) * norms[j]);
  return variant && !sparsity.of
    ? dropByShareOfSum(weight, shape, score, sparsity.sparsity ?? 0.5)
    : dropInRows(weight, shape, score, sparsity);
}

/** Halves an interval of shares of the sum until the share of weights is met within a thousandth. */
function dropByShareOfSum(
  weight: Float32Array,
  [out, width]: readonly [number, number],
  score: (r: number, j: number) => number,
  sparsity: number,
): Float32Array {
  const rows = Array.from({ length: out }, (_, r) => Float64Array.from({ length: width }, (_, j) => score(r, j)));
  const sums = rows.map((row) => row.reduce((sum, each) => sum + each, 0));
  const sorted = rows.map((row) => row.slice().sort());
  const thresholds = (alpha: number) =>
    sorted.map((row, r) => {
      let [sum, count] = [0, 0];
      while (count < width && sum + row[count] <= alpha * sums[r]) sum += row[count++];
      return count > 0 ? row[count - 1] : row[width - 1]; // index -1 of the released code is the last
    });
  const gone = (limits: number[]) => rows.map((row, r) => row.map((each) => (each <= limits[r] ? 1 : 0)));
  const shareOf = (masks: Float64Array[]) =>
    masks.reduce((sum, mask) => sum + mask.reduce((all, one) => all + one, 0), 0) / (out * width);
  let [alpha, low, high] = [0.4, 0, 0.8];
  let masks = gone(thresholds(alpha));
  while (Math.abs(shareOf(masks) - sparsity) > 0.001 && high - low >= 0.001) {
    if (shareOf(masks) > sparsity) [alpha, high] = [(alpha + low) / 2, alpha];
    else [alpha, low] = [(alpha + high) / 2, alpha];
    masks = gone(thresholds(alpha));
  }
  masks.forEach((mask, r) => mask.forEach((one, j) => one && (weight[r * width + j] = 0)));
  return weight;
}

/** Statistic: the Gram matrix of the inputs [in, in], whose diagonal is read. Options: `WandaOptions`. */
export const wanda: Fitter = {
  check: (want) => checkOptions("wanda", want.options, { sparsity: isShare, of: isPattern, variant: isFlag }),
  statistic: ([, width]) => [width],
  async fit(weight, shape, { options }, seen) {
    return { values: wandaValues(weight, shape, await seen.statistic(), options as WandaOptions) };
  },
  work: ([out, width]) => ({ holds: 2 * out * width }),
};
