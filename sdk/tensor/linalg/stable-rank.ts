import type { Matrix } from "./matrix.js";
import { svd } from "./svd.js";

/** Squared Frobenius norm divided by squared spectral norm: between 1 and the rank, 0 for a matrix of zeros. */
export function stableRank(a: Matrix): number {
  const squares = svd(a).s.map((s) => s * s);
  return squares[0] === 0 ? 0 : squares.reduce((sum, square) => sum + square, 0) / squares[0];
}
