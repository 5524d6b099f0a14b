import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { globMatches } from "../../../../kernels/moelab/server/glob.js";

test("stars and question marks match as a regular expression says", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "\n"), maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", "\n"), maxLength: 6 });
  fc.assert(fc.property(pattern, text, (glob, given) => {
    const regExp = new RegExp(`^${glob.replace(/\*+/g, ".*").replace(/\?/g, ".")}$`, "s");
    assert.is(globMatches(glob, given), regExp.test(given), JSON.stringify([glob, given]));
  }), { numRuns: 2000 });
});

test("signs of regular expressions mean themselves", () => {
  for (const sign of ".+^${}()|[]\\") {
    assert.ok(globMatches(`*${sign}?`, `x${sign}y`), sign);
    assert.not.ok(globMatches(`a${sign}`, "ab"), sign);
  }
});

test("many stars on a long text take no time", () => {
  const started = performance.now();
  assert.not.ok(globMatches(`${"*a".repeat(200)}z`, "a".repeat(70_000)));
  assert.ok(performance.now() - started < 2000);
});

test.run();
