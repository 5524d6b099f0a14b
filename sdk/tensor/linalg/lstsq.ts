import { MoeError } from "../../errors.js";
import { type Matrix, mustBeFinite, product, transposed, zeros } from "./matrix.js";
import { native } from "./native.js";
import { svd } from "./svd.js";

/**
 * The X of smallest norm among those that minimise |A X - B|. Singular values below machine precision
 * times the larger side times the largest one count as zero, as in NumPy.
 */
export function lstsq(a: Matrix, b: Matrix): Matrix {
  if (a.rows !== b.rows)
    throw new MoeError("matrix-shape",
      `lstsq: A is ${a.rows} x ${a.columns}, B ${b.rows} x ${b.columns}; accepted is a B with as many rows as A.`);
  mustBeFinite(a, "lstsq");
  mustBeFinite(b, "lstsq");
  if (a.data.length === 0 || b.data.length === 0) return zeros(a.columns, b.columns);
  if (native.lstsq) return native.lstsq(a, b);
  const { u, s, v } = svd(a);
  const smallest = Number.EPSILON * Math.max(a.rows, a.columns) * s[0];
  const coefficients = product(transposed(u), b);
  for (let i = 0; i < coefficients.rows; i++)
    for (let j = 0; j < b.columns; j++) {
      coefficients.data[i * b.columns + j] *= s[i] > smallest ? 1 / s[i] : 0;
    }
  return product(v, coefficients);
}
