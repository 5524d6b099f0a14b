import { cholesky } from "../../tensor/linalg/cholesky.js";

/** The columns of a matrix [out, in], each [out]. */
export type Columns = Float64Array[];

export function columnsOf(weight: ArrayLike<number>, [out, width]: readonly [number, number]): Columns {
  return Array.from({ length: width }, (_, j) => Float64Array.from({ length: out }, (_, r) => weight[r * width + j]));
}

/** Row by row again. */
export function rowsOf(columns: Columns, out: number): Float32Array {
  const values = new Float32Array(out * columns.length);
  columns.forEach((column, j) => column.forEach((value, r) => (values[r * columns.length + j] = value)));
  return values;
}

export interface ByColumns {
  /** columns whose errors are carried to the columns after them together: B of the papers */
  block: number;
  /** added to the diagonal, as a share of its mean */
  damping: number;
  /** columns of the largest diagonal first (act-order) */
  byDiagonal?: boolean;
  /** errors are carried to later columns of the same block too; false as MC-MoE is released, below 4 bits */
  withinBlock?: boolean;
}

/** A block of columns in the order of their turns. */
export interface Block {
  start: number;
  /** with all that was carried to them so far */
  columns: Columns;
  /** of the inverse's root */
  diagonal: Float64Array;
}

/** What becomes of each column when its turn comes. */
export interface Rounding {
  begin?(block: Block): void;
  /**
   * @param turn whose turn it is: the how manieth, and which column of the matrix
   * @param column as it is now
   * @param all columns in the order of turns, the block's as they were when it began
   * @returns what is stored in its place
   */
  round(turn: { at: number; column: number }, column: Float64Array, block: Block, all: Columns): Float64Array;
}

/**
 * Replaces the columns of a matrix one after the other; what each one does wrong to the outputs is put right by those
 * that come after it, as far as the inputs' Gram matrix lets them: GPTQ (arXiv:2210.17323, algorithm 1) and SparseGPT
 * (arXiv:2301.00774, algorithm 1). Inputs that are always 0 get weights 0.
 *
 * @param gram [in, in] sum of x x^T, at any scale
 * @returns the new columns in their own order, and the order in which they took their turns
 */
export function byColumns(
  weight: ArrayLike<number>,
  shape: readonly [out: number, width: number],
  gram: ArrayLike<number>,
  { block, damping, byDiagonal = false, withinBlock = true }: ByColumns,
  rounding: Rounding,
): { columns: Columns; order: number[] } {
  const [out, width] = shape;
  const diagonal = Float64Array.from({ length: width }, (_, j) => gram[j * width + j] || 1);
  const order = Array.from({ length: width }, (_, j) => j);
  if (byDiagonal) order.sort((a, b) => diagonal[b] - diagonal[a] || a - b);
  const given = columnsOf(weight, shape);
  const all = order.map((j) => (gram[j * width + j] === 0 ? new Float64Array(out) : given[j]));
  const damp = damping * diagonal.reduce((sum, each) => sum + each, 0) / width;
  const root = inverseRoot(width, (i, j) => (i === j ? diagonal[order[i]] + damp : gram[order[i] * width + order[j]]));
  const result: Columns = [];
  for (let start = 0; start < width; start += block) {
    const end = Math.min(start + block, width);
    const columns = all.slice(start, end).map((column) => column.slice());
    const here: Block = { start, columns, diagonal: Float64Array.from(columns, (_, i) =>
      root[(start + i) * (width + 1)]) };
    rounding.begin?.(here);
    const errors: Columns = [];
    for (let i = 0; i < columns.length; i++) {
      const row = (start + i) * width;
      const stored = rounding.round({ at: start + i, column: order[start + i] }, columns[i], here, all);
      const error = columns[i].map((value, r) => (value - stored[r]) / root[row + start + i]);
      if (withinBlock) { for (let k = i; k < columns.length; k++) carry(columns[k], error, root[row + start + k]); }
      errors.push(error);
      result.push(stored);
    }
    for (let j = end; j < width; j++)
      errors.forEach((error, i) => carry(all[j], error, root[(start + i) * width + j]));
  }
  const columns: Columns = [];
  order.forEach((j, at) => (columns[j] = result[at]));
  return { columns, order };
}

function carry(to: Float64Array, error: Float64Array, share: number): void {
  if (share !== 0) { for (let r = 0; r < to.length; r++) to[r] -= share * error[r]; }
}

/**
 * The upper triangle U with U^T U = A^-1: the inverse of R with A = R R^T, R upper, which is a Cholesky factor read
 * from the other end.
 */
function inverseRoot(n: number, a: (i: number, j: number) => number): Float64Array {
  const turned = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) turned[i * n + j] = a(n - 1 - i, n - 1 - j);
  const { data } = cholesky({ rows: n, columns: n, data: turned });
  const r = (i: number, j: number) => data[(n - 1 - i) * n + (n - 1 - j)];
  const root = new Float64Array(n * n);
  for (let i = n - 1; i >= 0; i--) {
    const own = 1 / r(i, i);
    root[i * n + i] = own;
    for (let k = i + 1; k < n; k++) {
      const share = r(i, k) * own;
      if (share !== 0) { for (let j = k; j < n; j++) root[i * n + j] -= share * root[k * n + j]; }
    }
  }
  return root;
}
