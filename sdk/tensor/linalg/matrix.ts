import { Matrix as MlMatrix } from "ml-matrix";
import { MoeError } from "../../errors.js";

/** Numbers of a matrix row by row. Results are float64; float32 input is taken as it is. */
export interface Matrix {
  rows: number;
  columns: number;
  data: Float32Array | Float64Array;
}

/**
 * A matrix from rows, or from numbers that lie row by row.
 *
 * @throws MoeError `matrix-shape` when the numbers do not fill it
 * @example matrix([[1, 2], [3, 4]])
 * @example matrix(Float32Array.of(1, 2, 3, 4), 2, 2)
 */
export function matrix(rows: ArrayLike<ArrayLike<number>>): Matrix;
export function matrix(data: Float32Array | Float64Array, rows: number, columns: number): Matrix;
export function matrix(
  from: ArrayLike<ArrayLike<number>> | Float32Array | Float64Array,
  rows = from.length,
  columns?: number,
): Matrix {
  if (from instanceof Float32Array || from instanceof Float64Array) {
    if (from.length !== rows * (columns ?? 0)) {
      throw new MoeError("matrix-shape",
        `matrix: ${from.length} numbers for ${rows} x ${columns}; accepted are rows x columns numbers. Check `
          + "the shape.");
    }
    return { rows, columns: columns!, data: from };
  }
  const width = from[0]?.length ?? 0;
  const data = new Float64Array(rows * width);
  Array.from(from as ArrayLike<ArrayLike<number>>).forEach((row, i) => {
    if (row.length !== width)
      throw new MoeError("matrix-shape",
        `matrix: row ${i} has ${row.length} numbers, row 0 has ${width}. Make the rows equally long.`);
    data.set(row, i * width);
  });
  return { rows, columns: width, data };
}

/** sum_i a_i b_i in float64 */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** C = A B in float64 */
export function product(a: Matrix, b: Matrix): Matrix {
  if (a.columns !== b.rows)
    throw new MoeError("matrix-shape",
      `product: ${a.rows} x ${a.columns} times ${b.rows} x ${b.columns}; the inner lengths must agree. `
        + "Transpose one of them.");
  const data = new Float64Array(a.rows * b.columns);
  for (let i = 0; i < a.rows; i++)
    for (let k = 0; k < a.columns; k++) {
      const factor = a.data[i * a.columns + k];
      const [from, to] = [k * b.columns, i * b.columns];
      for (let j = 0; j < b.columns; j++) data[to + j] += factor * b.data[from + j];
    }
  return { rows: a.rows, columns: b.columns, data };
}

export function transposed({ rows, columns, data }: Matrix): Matrix {
  const flipped = new Float64Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) flipped[j * rows + i] = data[i * columns + j];
  return { rows: columns, columns: rows, data: flipped };
}

export function toMl({ rows, columns, data }: Matrix): MlMatrix {
  return MlMatrix.from1DArray(rows, columns, data as unknown as number[]);
}

export function fromMl(from: MlMatrix): Matrix {
  return { rows: from.rows, columns: from.columns, data: Float64Array.from(from.to1DArray()) };
}

export function zeros(rows: number, columns: number): Matrix {
  return { rows, columns, data: new Float64Array(rows * columns) };
}

export function mustBeSquare({ rows, columns }: Matrix, verb: string): void {
  if (rows !== columns)
    throw new MoeError("matrix-shape", `${verb}: the matrix is ${rows} x ${columns}; accepted is a square one.`);
}

export function mustBeFinite({ data }: Matrix, verb: string): void {
  const at = data.findIndex((x) => !Number.isFinite(x));
  if (at >= 0)
    throw new MoeError("not-finite",
      `${verb}: the number at ${at} is ${data[at]}; accepted are finite numbers. Find where it came from.`);
}
