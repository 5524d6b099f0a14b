import type { GroupedFormat } from "../../tensor/formats/number-format.js";
import { byColumns, columnsOf, rowsOf } from "./by-columns.js";
import { checkOptions, from0, isFlag, isPattern, isShare, isWhole } from "./fit-options.js";
import type { Fitter } from "./fitter.js";
import { codesOf, gridOf, numbersOf } from "./grid.js";
import { smallest, type Sparsity, thresholdOf } from "./masks.js";

export interface SparseGptOptions extends Sparsity {
  block?: number;
  damping?: number;
  /** false (default): each block loses what is not above its threshold, one weight more than the share, as released */
  exact?: boolean;
}

/**
 * SparseGPT (arXiv:2301.00774): zeros, and other weights that make up for them. A weight counts w^2 / U_jj^2 with U
 * the root of the inverse Gram matrix; of a block of columns the smallest go, of n:m those of a row when their group
 * begins.
 *
 * @param grid what stays is rounded to it in passing; default: not
 */
export function sparseGptValues(
  weight: Float32Array,
  shape: readonly [number, number],
  gram: Float32Array,
  { block = 128, damping = 0.01, sparsity = 0.5, of, exact = false }: SparseGptOptions = {},
  grid?: GroupedFormat,
): Float32Array {
  const [out] = shape;
  const range = grid && gridOf(columnsOf(weight, shape), grid);
  let gone: Uint8Array[] = [];
  const { columns } = byColumns(weight, shape, gram, { block, damping }, {
    begin({ columns, diagonal }) {
      gone = columns.map(() => new Uint8Array(out));
      if (of) return;
      const score = (i: number, r: number) => (columns[i][r] / diagonal[i]) ** 2;
      const scores = Float64Array.from({ length: columns.length * out },
        (_, at) => score(Math.floor(at / out), at % out));
      if (exact) {
        for (const at of smallest(scores.length, Math.floor(scores.length * sparsity), (at) => scores[at]))
          gone[Math.floor(at / out)][at % out] = 1;
        return;
      }
      const threshold = thresholdOf(scores, sparsity);
      columns.forEach((_, i) => gone[i].forEach((_, r) => (gone[i][r] = score(i, r) <= threshold ? 1 : 0)));
    },
    round({ at }, column, { start, columns, diagonal }) {
      const i = at - start;
      if (of && i % of[1] === 0) {
        const size = Math.min(of[1], columns.length - i);
        for (let r = 0; r < out; r++)
          for (const k of smallest(size, of[0], (k) => (columns[i + k][r] / diagonal[i + k]) ** 2)) gone[i + k][r] = 1;
      }
      const kept = column.map((value, r) => (gone[i][r] ? 0 : value));
      return grid ? numbersOf(codesOf(kept, range!, grid), range!, grid) : kept;
    },
  });
  return rowsOf(columns, out);
}

/** Statistic: the Gram matrix of the inputs [in, in]. Options: `SparseGptOptions`. */
export const sparsegpt: Fitter = {
  check: (want) =>
    checkOptions("sparsegpt", want.options, { sparsity: isShare, of: isPattern, block: isWhole, damping: from0,
      exact: isFlag }),
  statistic: ([, width]) => [width, width],
  async fit(weight, shape, { options, format }, seen) {
    const grid = format?.kind === "grouped" ? format : undefined;
    return { values: sparseGptValues(weight, shape, await seen.statistic(), options as SparseGptOptions, grid) };
  },
  work: ([out, width]) => ({ holds: 6 * out * width + 6 * width ** 2, multiplies: out * width ** 2,
    decompositions: [[width, width]] }),
};
