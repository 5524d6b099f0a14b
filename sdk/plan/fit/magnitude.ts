import { checkOptions, isOneOf, isPattern, isShare } from "./fit-options.js";
import type { Fitter } from "./fitter.js";
import { dropInRows, type Sparsity, thresholdOf } from "./masks.js";

export interface MagnitudeOptions extends Sparsity {
  /** of whom a share goes: of the matrix (default), or of each row */
  within?: "matrix" | "row";
}

/** The weights of the smallest magnitude become 0; of a matrix, all that are not above the threshold. */
export function magnitudeValues(
  weight: Float32Array,
  shape: readonly [number, number],
  { within = "matrix", ...sparsity }: MagnitudeOptions = {},
): Float32Array {
  if (sparsity.of || within === "row")
    return dropInRows(weight, shape, (r, j) => Math.abs(weight[r * shape[1] + j]), sparsity);
  if (sparsity.sparsity === 0) return weight;
  const threshold = thresholdOf(weight.map(Math.abs), sparsity.sparsity ?? 0.5);
  return weight.map((value) => (Math.abs(value) <= threshold ? 0 : value));
}

/** Options: `MagnitudeOptions`. */
export const magnitude: Fitter = {
  check: (want) =>
    checkOptions("magnitude", want.options, { sparsity: isShare, of: isPattern, within: isOneOf("matrix", "row") }),
  async fit(weight, shape, { options }) {
    return { values: magnitudeValues(weight, shape, options as MagnitudeOptions) };
  },
  work: ([out, width]) => ({ holds: 2 * out * width }),
};
