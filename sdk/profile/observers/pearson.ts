/** added to the product of two standard deviations, as the released codes do */
const EPSILON = 1e-7;

/**
 * Pearson correlations of all columns from their sums and sums of products, n x n; zeros with fewer than two rows.
 *
 * @param count rows that were added up
 */
export function pearson(products: Float64Array, sum: Float64Array, count: number): Float32Array {
  const n = sum.length;
  const values = new Float32Array(n * n);
  if (count < 2) return values;
  const covariance = (i: number, j: number) => (products[i * n + j] - (sum[i] * sum[j]) / count) / (count - 1);
  const deviation = Float64Array.from({ length: n }, (_, i) => Math.sqrt(Math.max(0, covariance(i, i))));
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) values[i * n + j] = covariance(i, j) / (deviation[i] * deviation[j] + EPSILON);
  return values;
}
