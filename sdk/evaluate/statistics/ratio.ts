/**
 * A mean over tokens whose items are the independent draws: sum of sums over sum of sizes, with the standard error of
 * the ratio estimator (first-order Taylor), so that tokens of one item are not taken for independent.
 *
 * @param sums per item, e.g. the summed loss of its tokens
 * @param sizes per item, e.g. the number of its tokens
 * @example ratio([2, 1], [2, 2]).value  // 0.75
 */
export function ratio(sums: ArrayLike<number>, sizes: ArrayLike<number>): { value: number; stderr: number } {
  const n = sums.length;
  let sum = 0, size = 0;
  for (let i = 0; i < n; i++) {
    sum += sums[i];
    size += sizes[i];
  }
  const value = sum / size;
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (sums[i] - value * sizes[i]) ** 2;
  return { value, stderr: n > 1 ? Math.sqrt((n / (n - 1)) * squares) / size : NaN };
}
