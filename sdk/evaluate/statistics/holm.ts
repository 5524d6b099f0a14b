/**
 * Adjusts p values of several claims so that the chance of any false one stays below the level (Holm 1979, step-down).
 *
 * @returns adjusted values in the order of the input, at most 1; a claim stands when its adjusted value is below the
 *   level
 * @example holm([0.01, 0.04, 0.03])  // [0.03, 0.06, 0.06]
 */
export function holm(p: readonly number[]): number[] {
  const rising = p.map((_, index) => index).sort((a, b) => p[a] - p[b]);
  const adjusted = new Array<number>(p.length);
  let least = 0;
  rising.forEach((index, rank) => {
    least = Math.min(1, Math.max(least, (p.length - rank) * p[index]));
    adjusted[index] = least;
  });
  return adjusted;
}
