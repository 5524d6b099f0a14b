import { MoeError } from "../../errors.js";
import type { Matrix } from "../linalg/matrix.js";
import type { NativeLinalg } from "../linalg/native.js";
import { dtypes, type Handle, type Native } from "./native.js";

/** LAPACK's decompositions in float64, whatever the input, and the exact assignment. */
export function nativeLinalg(native: Native): NativeLinalg {
  // a function of its own, so that nothing keeps the numbers; float64 lies on the processor, whatever computes
  // otherwise
  const doubles = ({ rows, columns, data }: Matrix): Handle =>
    native.create(data instanceof Float64Array ? data : Float64Array.from(data), dtypes.float64, rows, columns);
  /**
   * Runs an operation on matrices and reads its results; what is done with is released at once, as matrices may be
   * large.
   */
  const run = (operation: (...inputs: Handle[]) => Handle | Handle[], ...matrices: Matrix[]): Matrix[] => {
    const held: Handle[] = [];
    try {
      for (const given of matrices) held.push(doubles(given));
      const outputs = [operation(...held)].flat();
      held.push(...outputs);
      for (const handle of held.splice(0, matrices.length)) native.release(handle);
      return outputs.map((handle) => {
        const [rows, columns = 1] = native.shape(handle);
        const data = native.read(handle, new Float64Array(rows * columns));
        native.release(held.shift()!);
        return { rows, columns, data };
      });
    } finally {
      for (const handle of held) native.release(handle);
    }
  };
  const numbers = ({ data }: Matrix) => data as Float64Array;

  return {
    svd: (a) => {
      const [u, s, v] = run(native.svd, a);
      return { u, s: numbers(s), v };
    },
    eigh: (a) => {
      const [values, vectors] = run(native.eigh, a);
      return { values: numbers(values), vectors };
    },
    qr: (a) => {
      const [q, r] = run(native.qr, a);
      return { q, r };
    },
    cholesky: (a) => run(native.cholesky, a)[0],
    solve: (a, b) => {
      try {
        return run(native.solve, a, b)[0];
      } catch (error) {
        if (!/singular/.test((error as Error).message)) throw error;
        throw new MoeError("singular-matrix",
          `solve: the ${a.rows} x ${a.columns} matrix is singular; accepted are matrices with an inverse. Use lstsq.`);
      }
    },
    lstsq: (a, b) => run(native.lstsq, a, b)[0],
    assign: (score, rows, columns, maximize) => native.assign(score, rows, columns, maximize, new Int32Array(rows)),
  };
}
