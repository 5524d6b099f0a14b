import { MoeError } from "../../errors.js";
import { type Matrix, mustBeFinite, mustBeSquare } from "./matrix.js";
import { native } from "./native.js";

/**
 * The lower triangle L with A = L L^T. Only the lower triangle of A is read.
 *
 * @throws MoeError `not-positive-definite`
 */
export function cholesky(a: Matrix): Matrix {
  mustBeSquare(a, "cholesky");
  mustBeFinite(a, "cholesky");
  const found = (a.rows > 0 && native.cholesky?.(a)) || composed(a);
  for (let i = 0; i < a.rows; i++) {
    if (!(found.data[i * a.rows + i] > 0)) {
      throw new MoeError("not-positive-definite",
        `cholesky: the matrix is not positive definite (pivot ${i} of ${a.rows}); accepted are positive `
          + "definite ones. Add a small multiple of the identity.");
    }
  }
  return found;
}

function composed({ rows: n, data }: Matrix): Matrix {
  const lower = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let rest = data[i * n + j];
      for (let k = 0; k < j; k++) rest -= lower[i * n + k] * lower[j * n + k];
      lower[i * n + j] = i === j ? Math.sqrt(rest) : rest / lower[j * n + j];
    }
  return { rows: n, columns: n, data: lower };
}
