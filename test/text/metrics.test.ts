import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MoeError } from "../../sdk/errors.js";
import { exactMatch, macroF1, METRICS, symbolErrorRate, tokenAccuracy, tokenF1 } from "../../sdk/text/metrics.js";

const near = (seen: number, right: number) => assert.ok(Math.abs(seen - right) < 1e-12, `${seen} is not ${right}`);

test("exact match is a share with the standard error of a mean", () => {
  const { value, stderr, n } = exactMatch([["a", "b"], ["a"], ["c"], ["d"]], [["a", "b"], ["a", "b"], ["c"], ["d"]]);
  near(value, 0.75);
  // variance with n - 1 is 0.25, over 4 items
  near(stderr, 0.25);
  assert.is(n, 4);
});

test("a prediction that goes on after the answer is wrong", () => {
  near(exactMatch([[1, 2, 3]], [[1, 2]]).value, 0);
});

test("token accuracy counts places of the answer, longer items weigh more", () => {
  near(tokenAccuracy([["a", "x", "c"], ["y"]], [["a", "b", "c"], ["z"]]).value, 2 / 4);
});

test("symbol error rate counts edits over symbols, not characters", () => {
  // replace one of three, and insert two
  const { value } = symbolErrorRate([["AE", "B", "IY"], ["K"]], [["AE", "B", "ER"], ["K", "AE", "T"]]);
  near(value, 3 / 6);
});

test("the standard error of a ratio is that of the linearised ratio", () => {
  // edits 1, 0 of lengths 1, 3: ratio 1/4; residuals 3/4, -3/4; sqrt(2 * 9/8) / 4
  near(symbolErrorRate([["x"], ["a", "b", "c"]], [["a"], ["a", "b", "c"]]).stderr, Math.sqrt(2 * (9 / 8)) / 4);
});

test("token F1 is the overlap of bags", () => {
  near(tokenF1([["the", "cat", "the"]], [["the", "the"]]).value, 4 / 5);
  near(tokenF1([[]], [["a"]]).value, 0);
});

test("macro F1 weighs labels alike", () => {
  const right = [["a"], ["a"], ["a"], ["b"]];
  // a: 6/7, b: 0
  near(macroF1([["a"], ["a"], ["a"], ["a"]], right).value, 3 / 7);
  assert.is(macroF1(right, right).stderr, 0);
});

test("the jackknife of macro F1 equals leaving out each item", () => {
  const answers = fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), fc.constantFrom("a", "b", "c")), { minLength: 12,
    maxLength: 30 });
  fc.assert(fc.property(answers, (pairs) => {
    // every label stays when one item is left out
    const all = [...pairs, ...["a", "b", "c", "a", "b", "c"].map((label) => [label, label] as [string, string])];
    const f1 = (some: [string, string][]) => macroF1(some.map(([seen]) => [seen]), some.map(([, right]) => [right]));
    const without = all.map((_, i) => f1(all.filter((_, j) => j !== i)).value);
    const centre = without.reduce((a, b) => a + b) / all.length;
    const variance = without.reduce((sum, value) => sum + (value - centre) ** 2, 0) * (all.length - 1) / all.length;
    assert.ok(Math.abs(f1(all).stderr - Math.sqrt(variance)) < 1e-9);
  }), { numRuns: 30 });
});

test("right answers have the best score in every metric", () => {
  const rows = fc.array(fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 8 }), { minLength: 1,
    maxLength: 20 });
  fc.assert(fc.property(rows, (answers) => {
    for (const [name, metric] of Object.entries(METRICS)) {
      const { value, stderr } = metric(answers, answers);
      near(value, name === "symbol_error_rate" ? 0 : 1);
      near(stderr, 0);
    }
  }));
});

test("predictions and answers must pair", () => {
  const throws = (call: () => unknown, code: string) =>
    assert.throws(call, (error: unknown) => error instanceof MoeError && error.code === code);
  throws(() => exactMatch([["a"]], []), "answers-do-not-pair");
  throws(() => exactMatch([], []), "answers-do-not-pair");
  throws(() => symbolErrorRate([["a"]], [[]]), "empty-answers");
});

test.run();
