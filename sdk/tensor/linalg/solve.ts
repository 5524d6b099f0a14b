import { LuDecomposition } from "ml-matrix";
import { MoeError } from "../../errors.js";
import { fromMl, type Matrix, mustBeFinite, mustBeSquare, toMl, zeros } from "./matrix.js";
import { native } from "./native.js";

/**
 * X with A X = B, for a square A.
 *
 * @throws MoeError `singular-matrix`
 */
export function solve(a: Matrix, b: Matrix): Matrix {
  mustBeSquare(a, "solve");
  if (a.rows !== b.rows)
    throw new MoeError("matrix-shape",
      `solve: A is ${a.rows} x ${a.columns}, B ${b.rows} x ${b.columns}; accepted is a B with as many rows as A.`);
  mustBeFinite(a, "solve");
  mustBeFinite(b, "solve");
  if (b.data.length === 0) return zeros(a.columns, b.columns);
  if (native.solve) return native.solve(a, b);
  const found = new LuDecomposition(toMl(a));
  if (found.isSingular())
    throw new MoeError("singular-matrix",
      `solve: the ${a.rows} x ${a.columns} matrix is singular; accepted are matrices with an inverse. Use lstsq.`);
  return fromMl(found.solve(toMl(b)));
}
