import { MoeError } from "../../errors.js";
import { type Matrix, mustBeFinite, product, transposed } from "./matrix.js";

export interface CkaOptions {
  /**
   * - `linear` (default): inner products
   * - `rbf`: exp(-d^2 / 2 s^2) with s^2 a quarter of the median of d^2 over all pairs
   */
  kernel?: "linear" | "rbf";
  /** the estimate of HSIC without bias (arXiv:2010.15327, equation 3); needs 4 rows */
  unbiased?: boolean;
}

/**
 * Centred kernel alignment of two representations of the same n inputs: 0 unlike, 1 equal up to rotation and scale
 * (arXiv:1905.00414, section 3); NaN when one of them is the same for all inputs.
 *
 * @param x n rows, one an input
 * @param y n rows
 */
export function cka(x: Matrix, y: Matrix, { kernel = "linear", unbiased = false }: CkaOptions = {}): number {
  if (x.rows !== y.rows)
    throw new MoeError("cka-rows",
      `cka: ${x.rows} and ${y.rows} rows; accepted are representations of the same inputs. Use the same `
        + "inputs for both.");
  if (unbiased && x.rows < 4)
    throw new MoeError("cka-rows", `cka: ${x.rows} rows; the unbiased estimate takes 4 or more. Use more inputs.`);
  mustBeFinite(x, "cka");
  mustBeFinite(y, "cka");
  const [k, l] = [x, y].map((rows) => (kernel === "linear" ? product(rows, transposed(rows)) : rbf(rows)));
  const hsic = unbiased ? unbiasedHsic : biasedHsic;
  return hsic(k, l) / Math.sqrt(hsic(k, k) * hsic(l, l));
}

function rbf(x: Matrix): Matrix {
  const n = x.rows;
  const gram = product(x, transposed(x)).data;
  const distances = gram.map((g, at) =>
    Math.max(0, gram[Math.floor(at / n) * (n + 1)] + gram[(at % n) * (n + 1)] - 2 * g)
  );
  const sorted = Float64Array.from(distances).sort();
  const median = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  return { rows: n, columns: n, data: distances.map((distance) => Math.exp(-distance / (0.5 * median))) };
}

/** trace(K H L H) with H = I - 1/n */
function biasedHsic(k: Matrix, l: Matrix): number {
  const centred = centre(k);
  return centred.reduce((sum, value, at) => sum + value * l.data[at], 0);
}

function centre({ rows: n, data }: Matrix): Float64Array {
  const means = rowSums(data as Float64Array, n).map((sum) => sum / n);
  const mean = total(means) / n;
  return Float64Array.from(data, (value, at) => value - means[Math.floor(at / n)] - means[at % n] + mean);
}

function unbiasedHsic(k: Matrix, l: Matrix): number {
  const n = k.rows;
  const [a, b] = [k, l].map(({ data }) => Float64Array.from(data, (value, at) => (at % (n + 1) === 0 ? 0 : value)));
  const dot = (x: Float64Array, y: Float64Array) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  const [rowsA, rowsB] = [rowSums(a, n), rowSums(b, n)];
  return (dot(a, b) + (total(rowsA) * total(rowsB)) / ((n - 1) * (n - 2)) - (2 / (n - 2)) * dot(rowsA, rowsB))
    / (n * (n - 3));
}

function rowSums(data: Float64Array, n: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => total(data.subarray(i * n, (i + 1) * n)));
}

function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}
