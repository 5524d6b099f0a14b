/**
 * How many experts are in effect: 1 / sum of squared shares, E when all are used alike and 1 when one takes everything.
 *
 * @param shares of the experts of a layer, summing to 1
 * @example effectiveExperts([0.5, 0.5, 0, 0])  // 2
 */
export function effectiveExperts(shares: readonly number[]): number {
  return 1 / shares.reduce((sum, share) => sum + share ** 2, 0);
}
