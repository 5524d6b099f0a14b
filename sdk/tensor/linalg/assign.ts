import { MoeError } from "../../errors.js";
import { native } from "./native.js";

export interface AssignOptions {
  /** true: the largest sum; false (default): the smallest */
  maximize?: boolean;
  /** of the score; as many as rows by default */
  columns?: number;
}

/**
 * Solves the linear assignment problem exactly: a column for every row, no column twice, so that the sum of scores
 * is the smallest or largest. Where sums tie, any one of the best. Follows Jonker and Volgenant (Computing 38, 1987):
 * column reduction, augmenting row reduction, then shortest augmenting paths for the rows that are left.
 *
 * @param score rows x columns, row by row, finite
 * @returns for each row its column; -1 where there are more rows than columns
 * @throws MoeError `assign-shape`, `not-finite`
 * @example assign(Float32Array.of(1, 2, 3, 1), 2, { maximize: true })  // [1, 0]
 */
export function assign(
  score: Float32Array | Float64Array,
  rows: number,
  { maximize = false, columns = rows }: AssignOptions = {},
): Int32Array {
  if (score.length !== rows * columns) {
    throw new MoeError("assign-shape",
      `assign: ${score.length} scores for ${rows} rows and ${columns} columns; accepted are rows x columns `
        + "scores. Check the shape.");
  }
  const at = notFinite(score);
  if (at >= 0)
    throw new MoeError("not-finite",
      `assign: the score of row ${Math.floor(at / columns)}, column ${at % columns} is ${score[at]}; `
        + "accepted are finite numbers. Find where it came from.");
  if (rows > columns)
    return rowsOfColumns(assign(flipped(score, rows, columns), columns, { maximize, columns: rows }), rows);
  if (native.assign) return native.assign(score, rows, columns, maximize);
  const cost = new Float64Array(score);
  if (maximize) { for (let k = 0; k < cost.length; k++) cost[k] = -cost[k]; }
  return jonkerVolgenant(cost, rows, columns);
}

/** A plain loop: findIndex with a function took longer than the native solver. */
function notFinite(score: Float32Array | Float64Array): number {
  for (let at = 0; at < score.length; at++) if (!Number.isFinite(score[at])) return at;
  return -1;
}

function flipped(score: Float32Array | Float64Array, rows: number, columns: number): Float64Array {
  const flipped = new Float64Array(score.length);
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < columns; j++, at++) flipped[j * rows + i] = score[at];
  return flipped;
}

function rowsOfColumns(rowOf: Int32Array, rows: number): Int32Array {
  const columnOf = new Int32Array(rows).fill(-1);
  rowOf.forEach((row, column) => (columnOf[row] = column));
  return columnOf;
}

/** State: `price[j]` such that an assigned row has no column with a smaller cost - price than its own. */
function jonkerVolgenant(cost: Float64Array, n: number, m: number): Int32Array {
  const price = new Float64Array(m);
  const columnOf = new Int32Array(n).fill(-1);
  const rowOf = new Int32Array(m).fill(-1);
  if (n === m) reduceColumns(cost, n, price, columnOf, rowOf);
  for (let pass = 0; pass < 2 && m > 1; pass++) reduceRows(cost, n, m, price, columnOf, rowOf);
  const search = new PathSearch(cost, m, price, columnOf, rowOf);
  for (let row = 0; row < n; row++) if (columnOf[row] < 0) search.augment(row);
  return columnOf;
}

/** Each column's price becomes its smallest cost, and goes to that row if the row is free. */
function reduceColumns(
  cost: Float64Array,
  n: number,
  price: Float64Array,
  columnOf: Int32Array,
  rowOf: Int32Array,
): void {
  const best = new Int32Array(n);
  price.set(cost.subarray(0, n));
  for (let i = 1; i < n; i++)
    for (let j = 0, at = i * n; j < n; j++, at++) if (cost[at] < price[j]) [price[j], best[j]] = [cost[at], i];
  for (let j = n - 1; j >= 0; j--) if (columnOf[best[j]] < 0) [columnOf[best[j]], rowOf[j]] = [j, best[j]];
}

/** A free row takes its cheapest column, lowers its price to the second cheapest, and sets the row free that had it. */
function reduceRows(
  cost: Float64Array,
  n: number,
  m: number,
  price: Float64Array,
  columnOf: Int32Array,
  rowOf: Int32Array,
): void {
  // with rounding two rows could take a column from one another for very long: what is left goes to the path search
  let steps = 4 * n;
  for (let row = 0; row < n; row++) {
    for (let free = columnOf[row] < 0 ? row : -1; free >= 0 && steps > 0; steps--) {
      let [first, second, j1, j2] = [Infinity, Infinity, -1, -1];
      for (let j = 0, at = free * m; j < m; j++, at++) {
        const reduced = cost[at] - price[j];
        if (reduced < second) {
          if (reduced < first) [second, j2, first, j1] = [first, j1, reduced, j];
          else [second, j2] = [reduced, j];
        }
      }
      const lowered = price[j1] - (second - first);
      const wins = lowered < price[j1];
      if (wins) price[j1] = lowered;
      else if (rowOf[j1] >= 0) j1 = j2;
      const displaced = rowOf[j1];
      [rowOf[j1], columnOf[free]] = [free, j1];
      if (displaced >= 0) columnOf[displaced] = -1;
      free = wins ? displaced : -1;
    }
  }
}

/** Finds, for a free row, the cheapest chain of exchanges that ends at a free column (Dijkstra over the columns). */
class PathSearch {
  /** of each column from the free row; NaN, which compares as neither shorter nor nearest, once it is done */
  private readonly distance: Float64Array;
  private readonly previous: Int32Array;

  constructor(
    private readonly cost: Float64Array,
    private readonly m: number,
    private readonly price: Float64Array,
    private readonly columnOf: Int32Array,
    private readonly rowOf: Int32Array,
  ) {
    this.distance = new Float64Array(m);
    this.previous = new Int32Array(m);
  }

  augment(start: number): void {
    const { price, columnOf, rowOf, distance, previous } = this;
    const [done, reachedAt]: [number[], number[]] = [[], []];
    distance.fill(Infinity);
    let [row, reached, column] = [start, 0, -1];
    for (;;) {
      column = this.relax(row, reached);
      reached = distance[column];
      if (rowOf[column] < 0) break;
      done.push(column);
      reachedAt.push(reached);
      distance[column] = NaN;
      row = rowOf[column];
    }
    done.forEach((j, i) => (price[j] += reachedAt[i] - reached));
    for (;;) {
      const taker = previous[column];
      const next = columnOf[taker];
      [rowOf[column], columnOf[taker]] = [taker, column];
      if (taker === start) return;
      column = next;
    }
  }

  /**
   * Shortens the distances by the ways through a row; the nearest column that is not done, a free one if there are
   * several.
   */
  private relax(row: number, reached: number): number {
    const { cost, m, price, columnOf, rowOf, distance, previous } = this;
    const own = columnOf[row];
    const offset = reached - (own < 0 ? 0 : cost[row * m + own] - price[own]);
    let [lowest, nearest] = [Infinity, -1];
    for (let j = 0, at = row * m; j < m; j++, at++) {
      const through = offset + cost[at] - price[j];
      let known = distance[j];
      if (through < known) {
        distance[j] = known = through;
        previous[j] = row;
      }
      if (known <= lowest && (known < lowest || rowOf[j] < 0)) {
        lowest = known;
        nearest = j;
      }
    }
    return nearest;
  }
}
