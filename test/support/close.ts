import * as assert from "uvu/assert";

/**
 * Asserts that two rows of numbers differ by at most `tolerance`, absolute or relative to the expected one, and says
 * where they do not.
 */
export function close(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what = "values",
): void {
  assert.is(actual.length, expected.length, `${what}: length`);
  let worst = -1;
  let excess = 0;
  for (let i = 0; i < expected.length; i++) {
    const over = Math.abs(actual[i] - expected[i]) / Math.max(1, Math.abs(expected[i]));
    if (!(over <= tolerance) && !(over <= excess)) [worst, excess] = [i, over];
  }
  assert.ok(worst < 0,
    `${what}: entry ${worst} is ${actual[worst]}, expected ${expected[worst]} (tolerance ${tolerance})`);
}
