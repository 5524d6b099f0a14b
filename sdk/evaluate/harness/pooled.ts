/**
 * Standard error of the mean of several tasks, weighted by size: pooled variance, as lm-evaluation-harness groups do.
 * @example pooledStderr([0.1, 0.2], [10, 30])  // 0.153
 */
export function pooledStderr(stderrs: readonly number[], sizes: readonly number[]): number {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const squares = stderrs.reduce((sum, stderr, task) => sum + (sizes[task] - 1) * stderr ** 2 * sizes[task], 0);
  return Math.sqrt(squares / (total - sizes.length) / total);
}

/** Mean over tasks, each counting by its size or all alike. */
export function pooledMean(values: readonly number[], sizes: readonly number[], weightBySize = true): number {
  const weights = weightBySize ? sizes : sizes.map(() => 1);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return values.reduce((sum, value, task) => sum + value * weights[task], 0) / total;
}
