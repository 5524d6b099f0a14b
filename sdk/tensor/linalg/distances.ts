import { type Matrix, mustBeFinite } from "./matrix.js";

export type Metric = "euclidean" | "cosine" | "cityblock";

const between: Record<Metric, (a: ArrayLike<number>, b: ArrayLike<number>) => number> = {
  euclidean: (a, b) => Math.sqrt(total(a, (x, i) => (x - b[i]) ** 2)),
  cityblock: (a, b) => total(a, (x, i) => Math.abs(x - b[i])),
  cosine: (a, b) =>
    Math.max(0, 1 - total(a, (x, i) => x * b[i]) / Math.sqrt(total(a, (x) => x * x) * total(b, (x) => x * x))),
};

/** Distances between the rows of a matrix, n x n. */
export function distances(points: Matrix, metric: Metric = "euclidean"): Matrix {
  mustBeFinite(points, "distances");
  const { rows: n, columns, data } = points;
  const all = new Float64Array(n * n);
  const row = (i: number) => data.subarray(i * columns, (i + 1) * columns);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < i; j++) all[i * n + j] = all[j * n + i] = between[metric](row(i), row(j));
  return { rows: n, columns: n, data: all };
}

function total(values: ArrayLike<number>, term: (value: number, i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += term(values[i], i);
  return sum;
}
