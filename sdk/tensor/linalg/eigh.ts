import { EigenvalueDecomposition } from "ml-matrix";
import { fromMl, type Matrix, mustBeFinite, mustBeSquare, toMl, zeros } from "./matrix.js";
import { native } from "./native.js";

/**
 * Eigenvalues and eigenvectors of a symmetric matrix, smallest value first; only the lower triangle is read.
 * Column i of `vectors` belongs to `values[i]`.
 */
export function eigh(a: Matrix): { values: Float64Array; vectors: Matrix } {
  mustBeSquare(a, "eigh");
  mustBeFinite(a, "eigh");
  if (a.rows === 0) return { values: new Float64Array(0), vectors: zeros(0, 0) };
  const mirrored = { ...a, data: Float64Array.from(a.data) };
  for (let i = 0; i < a.rows; i++)
    for (let j = i + 1; j < a.rows; j++) mirrored.data[i * a.rows + j] = a.data[j * a.rows + i];
  if (native.eigh) return native.eigh(mirrored);
  const found = new EigenvalueDecomposition(toMl(mirrored), { assumeSymmetric: true });
  return { values: Float64Array.from(found.realEigenvalues), vectors: fromMl(found.eigenvectorMatrix) };
}
