/**
 * Takes at most `count` elements at even distances, the first included.
 *
 * @example spread([1, 2, 3, 4, 5, 6], 3)  // [1, 3, 5]
 */
export function spread<T>(all: readonly T[], count: number): T[] {
  if (all.length <= count) return [...all];
  return Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]);
}
