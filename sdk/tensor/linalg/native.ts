import type { Matrix } from "./matrix.js";

/** What a native back end does instead of the code in this folder; shapes and meaning are documented there. */
export interface NativeLinalg {
  assign(score: Float32Array | Float64Array, rows: number, columns: number, maximize: boolean): Int32Array;
  svd(a: Matrix): { u: Matrix; s: Float64Array; v: Matrix };
  eigh(a: Matrix): { values: Float64Array; vectors: Matrix };
  cholesky(a: Matrix): Matrix;
  qr(a: Matrix): { q: Matrix; r: Matrix };
  solve(a: Matrix, b: Matrix): Matrix;
  lstsq(a: Matrix, b: Matrix): Matrix;
}

/** Set by `setNativeLinalg` when a native back end becomes active. */
export let native: Partial<NativeLinalg> = {};

export function setNativeLinalg(functions: Partial<NativeLinalg>): void {
  native = functions;
}
