/**
 * Deals rows to one matrix after another so that all of them together keep the share of numbers that is asked for, to
 * less than a row, as a threshold over the whole network would: what rounding takes from one is given to the next.
 *
 * @example
 * const budget = new RowBudget();
 * budget.take(3072, 768, 0.1)  // 307 of 307.2
 * budget.take(768, 3072, 0.1)  // 77 of 76.8 and what was left
 */
export class RowBudget {
  private owed = 0;

  /** @param keep share of the rows, in [0, 1] */
  take(rows: number, columns: number, keep: number): number {
    const numbers = rows * columns * keep + this.owed;
    const kept = Math.max(0, Math.min(rows, Math.round(numbers / columns)));
    this.owed = numbers - kept * columns;
    return kept;
  }
}
