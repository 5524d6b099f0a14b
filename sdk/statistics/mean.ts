/** Mean of numbers; NaN of none. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

/** Standard deviation with n - 1 in the denominator; NaN below two values. */
export function standardDeviation(values: ArrayLike<number>): number {
  const center = mean(values);
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i] - center) ** 2;
  return values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : NaN;
}

/**
 * Standard error of a mean, as lm-evaluation-harness computes it, also for accuracies of zeros and ones.
 * @example meanStderr([1, 0, 1, 1])  // 0.25
 */
export function meanStderr(values: ArrayLike<number>): number {
  return standardDeviation(values) / Math.sqrt(values.length);
}
