import { matrix } from "./matrix.js";
import { svd } from "./svd.js";

/** W = U V + S; all row by row */
export interface Factors {
  /** [out, r] */
  u: Float32Array;
  /** [r, in] */
  v: Float32Array;
  /** [out, in] */
  s: Float32Array;
}

/**
 * Splits a matrix into a product of low rank and a remainder, W = U V + S, exactly (section 3.3 of arXiv:2310.01334):
 * with W = P diag(s) Q^T, U = P_r diag(sqrt s_r), V = diag(sqrt s_r) Q_r^T, S = W - U V.
 *
 * @param weight [out, in] row by row
 * @param rank r, at most the smaller side
 */
export function factorise(weight: Float32Array, [out, width]: readonly [number, number], rank: number): Factors {
  const { u: left, s: values, v: right } = svd(matrix(weight, out, width));
  const r = Math.min(rank, values.length);
  const u = new Float32Array(out * rank);
  const v = new Float32Array(rank * width);
  for (let k = 0; k < r; k++) {
    const root = Math.sqrt(values[k]);
    for (let i = 0; i < out; i++) u[i * rank + k] = left.data[i * left.columns + k] * root;
    for (let j = 0; j < width; j++) v[k * width + j] = right.data[j * right.columns + k] * root;
  }
  const s = Float32Array.from(weight);
  for (let i = 0; i < out; i++) {
    for (let j = 0; j < width; j++) {
      let product = 0;
      for (let k = 0; k < r; k++) product += u[i * rank + k] * v[k * width + j];
      s[i * width + j] -= product;
    }
  }
  return { u, v, s };
}

/** The rows of a remainder that have the largest norms, of equals the lower, in order. */
export function largestRows(s: Float32Array, width: number, count: number): number[] {
  const norms = Array.from({ length: s.length / width },
    (_, row) => s.subarray(row * width, (row + 1) * width).reduce((sum, value) => sum + value * value, 0));
  return norms.map((_, row) => row).sort((a, b) => norms[b] - norms[a] || a - b).slice(0, count).sort((a, b) => a - b);
}
