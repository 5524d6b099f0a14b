/**
 * How many of a matrix's rows are a share of it: rounded down as the pruner's threshold does, but never below
 * zero nor above all.
 *
 * @example keptRows(18, 0.25)  // 4
 */
export function keptRows(rows: number, keep: number): number {
  return Math.max(0, Math.min(rows, Math.floor(rows * keep + 1e-9)));
}
