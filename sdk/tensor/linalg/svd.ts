import { SingularValueDecomposition } from "ml-matrix";
import { fromMl, type Matrix, mustBeFinite, toMl, zeros } from "./matrix.js";
import { native } from "./native.js";

export interface Svd {
  /** rows x k, k the smaller side */
  u: Matrix;
  /** k singular values, largest first */
  s: Float64Array;
  /** columns x k */
  v: Matrix;
}

/** Thin singular value decomposition, A = U diag(s) V^T. The sign of a pair of columns of U and V is open. */
export function svd(a: Matrix): Svd {
  mustBeFinite(a, "svd");
  if (a.data.length === 0) return { u: zeros(a.rows, 0), s: new Float64Array(0), v: zeros(a.columns, 0) };
  if (native.svd) return native.svd(a);
  const found = new SingularValueDecomposition(toMl(a), { computeLeftSingularVectors: true,
    computeRightSingularVectors: true, autoTranspose: true });
  return { u: fromMl(found.leftSingularVectors), s: Float64Array.from(found.diagonal),
    v: fromMl(found.rightSingularVectors) };
}
