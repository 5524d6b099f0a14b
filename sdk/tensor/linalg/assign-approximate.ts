import { MoeError } from "../../errors.js";

export interface AssignApproximateOptions {
  maximize?: boolean;
  /**
   * the sum is at most rows x tolerance x (largest - smallest score) from the best one; 0.001 by default; below 2^-26,
   * where prices end to differ from scores, that
   */
  tolerance?: number;
}

export interface ApproximateAssignment {
  /** for each row its column */
  columns: Int32Array;
  /** how far the sum is from the best one at most, proven by the prices of this very solution */
  gap: number;
}

/** columns that a row remembers; it looks at all of them again only when prices have made these doubtful */
const LIST = 24;

/**
 * Linear assignment within a stated distance of the best, for sizes where the exact method takes too long
 * (14,336 rows: seconds instead of minutes or hours). An auction (Bertsekas, Annals of Operations Research 14, 1988):
 * a free row bids for its best column, prices only rise, and the step of the bids shrinks from phase to phase.
 *
 * @param score n x n, row by row, finite
 */
export function assignApproximate(
  score: Float32Array,
  n: number,
  { maximize = false, tolerance = 1e-3 }: AssignApproximateOptions = {},
): ApproximateAssignment {
  if (score.length !== n * n)
    throw new MoeError("assign-shape",
      `assignApproximate: ${score.length} scores for ${n} rows; accepted are rows x rows scores. Check the shape.`);
  if (!(tolerance > 0))
    throw new MoeError("assign-tolerance",
      `assignApproximate: tolerance is ${tolerance}; accepted is a number above 0. Use assign for the exact solution.`);
  const auction = new Auction(score, n, maximize ? 1 : -1);
  const range = n === 0 ? 0 : auction.range();
  if (!Number.isFinite(range))
    throw new MoeError("not-finite",
      "assignApproximate: a score is not finite; accepted are finite numbers. Find where it came from.");
  // where all scores are equal no bid raises a price, and rows would displace each other for ever
  if (range === 0) return { columns: Int32Array.from({ length: n }, (_, row) => row), gap: 0 };
  const last = Math.max(tolerance, 2 ** -26) * range;
  for (let step = range / 4; step > last; step /= 5) auction.phase(step);
  auction.phase(last);
  return { columns: auction.columnOf, gap: auction.gap() };
}

class Auction {
  readonly columnOf: Int32Array;
  private readonly rowOf: Int32Array;
  private readonly price: Float64Array;
  /** of each row: its LIST best columns when it last looked at all, and the most that any other was worth then */
  private readonly known: Int32Array;
  private readonly beyond: Float64Array;
  private readonly length: number;

  constructor(private readonly score: Float32Array, private readonly n: number, private readonly sign: 1 | -1) {
    this.columnOf = new Int32Array(n);
    this.rowOf = new Int32Array(n);
    this.price = new Float64Array(n);
    this.length = Math.min(LIST, n);
    this.known = new Int32Array(n * this.length);
    this.beyond = new Float64Array(n).fill(Infinity);
  }

  /** Largest less smallest score; NaN or infinite when a score is. */
  range(): number {
    let [low, high] = [Infinity, -Infinity];
    for (let at = 0; at < this.score.length; at++) {
      const x = this.score[at];
      low = Math.min(low, x);
      high = Math.max(high, x);
    }
    return high - low;
  }

  /** Assigns every row so that its column is worth at most `step` less to it than the best one. */
  phase(step: number): void {
    const { columnOf, rowOf, price, n } = this;
    columnOf.fill(-1);
    rowOf.fill(-1);
    const free = Array.from({ length: n }, (_, i) => n - 1 - i);
    while (free.length > 0) {
      const row = free.pop()!;
      let bid = this.best(row);
      if (bid.second < this.beyond[row]) {
        this.look(row);
        bid = this.best(row);
      }
      const second = Number.isFinite(bid.second) ? bid.second : bid.first;
      price[bid.column] += bid.first - second + step;
      const displaced = rowOf[bid.column];
      if (displaced >= 0) {
        columnOf[displaced] = -1;
        free.push(displaced);
      }
      rowOf[bid.column] = row;
      columnOf[row] = bid.column;
    }
  }

  /** The two best values among the columns that the row remembers. */
  private best(row: number): { column: number; first: number; second: number } {
    let [first, second, column] = [-Infinity, -Infinity, -1];
    for (let k = row * this.length; k < (row + 1) * this.length; k++) {
      const j = this.known[k];
      const value = this.sign * this.score[row * this.n + j] - this.price[j];
      if (value > first) [second, first, column] = [first, value, j];
      else if (value > second) second = value;
    }
    return { column, first, second };
  }

  /** Looks at all columns and remembers the best ones. */
  private look(row: number): void {
    const { known, price, score, sign, n, length } = this;
    const values = new Float64Array(length).fill(-Infinity); // largest first
    const start = row * length;
    let beyond = -Infinity;
    for (let j = 0, at = row * n; j < n; j++, at++) {
      const value = sign * score[at] - price[j];
      if (value <= values[length - 1]) {
        if (value > beyond) beyond = value;
        continue;
      }
      beyond = Math.max(beyond, values[length - 1]);
      let place = length - 1;
      for (; place > 0 && values[place - 1] < value; place--) {
        values[place] = values[place - 1];
        known[start + place] = known[start + place - 1];
      }
      values[place] = value;
      known[start + place] = j;
    }
    this.beyond[row] = beyond;
  }

  /** No assignment is better than the sum of every row's best value and all prices (weak duality). */
  gap(): number {
    const { price, score, sign, n, columnOf } = this;
    let gap = price.reduce((sum, p) => sum + p, 0);
    for (let row = 0; row < n; row++) {
      let best = -Infinity;
      for (let j = 0, at = row * n; j < n; j++, at++) {
        const value = sign * score[at] - price[j];
        if (value > best) best = value;
      }
      gap += best - sign * score[row * n + columnOf[row]];
    }
    return Math.max(0, gap);
  }
}
