/**
 * Orders expert indices from the most to the least used; ties go to the lower index.
 *
 * @example byFallingUsage([0.2, 0.5, 0.2])  // [1, 0, 2]
 */
export function byFallingUsage(usage: readonly number[]): number[] {
  return usage.map((_, expert) => expert).sort((a, b) => usage[b] - usage[a] || a - b);
}
