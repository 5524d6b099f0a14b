import { QrDecomposition } from "ml-matrix";
import { MoeError } from "../../errors.js";
import { fromMl, type Matrix, mustBeFinite, toMl, zeros } from "./matrix.js";
import { native } from "./native.js";

/**
 * A = Q R for rows >= columns: Q rows x columns with orthonormal columns, R upper triangular. Signs of columns are
 * open.
 */
export function qr(a: Matrix): { q: Matrix; r: Matrix } {
  if (a.rows < a.columns)
    throw new MoeError("matrix-shape",
      `qr: the matrix is ${a.rows} x ${a.columns}; accepted is one with at least as many rows as columns. `
        + "Transpose it.");
  mustBeFinite(a, "qr");
  if (a.data.length === 0) return { q: zeros(a.rows, 0), r: zeros(0, 0) };
  if (native.qr) return native.qr(a);
  const found = new QrDecomposition(toMl(a));
  return { q: fromMl(found.orthogonalMatrix), r: fromMl(found.upperTriangularMatrix) };
}
