/**
 * What Vega-Lite is told of the axis that bars stand on. Bars that are all zero would leave it an axis from 0 to 0, in
 * whose middle "0.000000" stands: theirs goes from 0 to 1.
 */
export function scaleOfBars(values: readonly number[]): { scale?: { domain: [number, number] } } {
  return values.length > 0 && values.every((value) => value === 0) ? { scale: { domain: [0, 1] } } : {};
}
