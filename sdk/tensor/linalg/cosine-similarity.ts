import { dot } from "./matrix.js";

/**
 * Cosines of rows, mapped to [0, 1]; a row of zeros is at 0.5 from every other.
 *
 * @example cosineSimilarity([[1, 0], [0, 1], [-1, 0]])  // [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]] (rounded)
 */
export function cosineSimilarity(rows: ArrayLike<number>[]): number[][] {
  const norms = rows.map((row) => Math.sqrt(dot(row, row)));
  return rows.map((a, i) => rows.map((b, j) => (i === j ? 1 : toUnit(dot(a, b) / (norms[i] * norms[j] + EPSILON)))));
}

/** added to the product of two norms, so that the cosine with a vector of zeros is 0 */
export const EPSILON = 1e-7;

export function toUnit(cosine: number): number {
  return (cosine + 1) / 2;
}
