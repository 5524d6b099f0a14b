import { test } from "uvu";
import * as assert from "uvu/assert";
import { type ArmResult, compareArms } from "../../../sdk/evaluate/statistics/compare-arms.js";

/** exact match of three arms on five teachers: the teacher decides most of it, the arm a little */
const teachers = [40, 55, 31, 62, 47];
const offsets = { merge: [0, 0.4, -0.3, 0.2, 0.1], average: [-10.1, -9.8, -10.4, -10.6, -9.9],
  twin: [0.3, 0, 0.1, -0.2, 0.2] };
const results: ArmResult[] = Object.entries(offsets).flatMap(([arm, shifts]) =>
  shifts.map((shift, seed) => ({ arm, seed, metric: "em", value: teachers[seed] + shift }))
);

test("pairs by seed: the spread of the teachers drops out", () => {
  const { arms } = compareArms(results, { baseline: "average" });
  const merge = arms.find(({ arm }) => arm === "merge")!;
  assert.ok(merge.stderr > 5);
  assert.ok(Math.abs(merge.difference!.mean - 10.24) < 1e-9);
  assert.ok(merge.difference!.low > 9.5 && merge.difference!.high < 11);
  assert.is(arms.find(({ arm }) => arm === "average")!.difference, undefined);
});

test("claims are judged on their side", () => {
  const { claims } = compareArms(results, {
    baseline: "average",
    claims: [{ arm: "merge", metric: "em", side: "higher", text: "Table 2" }, { arm: "average", against: "merge",
      metric: "em", side: "higher" }, { arm: "merge", against: "twin", metric: "em", side: "higher" }],
  });
  assert.equal(claims.map(({ verdict }) => verdict), ["reproduced", "refuted", "not resolved"]);
  assert.is(claims[0].text, "Table 2");
  assert.is(claims[0].pHolm, 3 * claims[0].p);
  assert.ok(claims[2].pairsFor80! > 100);
});

test("with a margin an arm may be the worse one by so much", () => {
  const judge = (margin: number, side: "higher" | "lower" = "higher") =>
    compareArms(results, { baseline: "twin",
      claims: [{ arm: "average", against: "merge", metric: "em", side, margin }] }).claims[0];
  assert.is(judge(0).verdict, "refuted");
  assert.is(judge(12).verdict, "reproduced");
  assert.is(judge(10.24).verdict, "not resolved");
  assert.ok(Math.abs(judge(12).mean + 10.24) < 1e-9, "the difference itself is not moved");
  assert.is(judge(12, "lower").verdict, "reproduced");
});

test("holm takes back a claim that only stands alone", () => {
  const noisy = [1.0, 3.1, 0.2, 2.4, 1.5].flatMap((
    gain,
    seed,
  ) => [{ arm: "a", seed, metric: "em", value: gain }, { arm: "b", seed, metric: "em", value: 0 }]);
  const claim = { arm: "a", metric: "em", side: "higher" } as const;
  assert.is(compareArms(noisy, { baseline: "b", claims: [claim] }).claims[0].verdict, "reproduced");
  const [first] = compareArms(noisy, { baseline: "b", claims: [claim, claim, claim] }).claims;
  assert.is(first.verdict, "not resolved");
  assert.is(first.verdictAlone, "reproduced");
});

test("draws of one seed are averaged, not counted as seeds", () => {
  const doubled = [...results, ...results];
  assert.equal(compareArms(doubled, { baseline: "twin" }).arms.map(({ n }) => n), [5, 5, 5]);
});

test("log2 ratio of a positive metric", () => {
  const kl = [1, 2, 4].flatMap((
    value,
    seed,
  ) => [{ arm: "a", seed, metric: "kl", value: value * 4 }, { arm: "b", seed, metric: "kl", value }]);
  const [claim] =
    compareArms(kl, { baseline: "b", claims: [{ arm: "a", metric: "kl", side: "lower", scale: "log2-ratio" }] }).claims;
  assert.equal([claim.mean, claim.p, claim.verdict], [2, 0, "refuted"]);
  assert.throws(
    () =>
      compareArms(kl.map((row) => ({ ...row, value: row.value - 4 })), { baseline: "b",
        claims: [{ arm: "a", metric: "kl", side: "lower", scale: "log2-ratio" }] }),
    /not positive/,
  );
});

test("one shared seed is never a verdict; none is an error", () => {
  const sparse: ArmResult[] = [{ arm: "a", seed: 1, metric: "em", value: 9 }, { arm: "b", seed: 1, metric: "em",
    value: 1 }, { arm: "c", seed: 2, metric: "em", value: 1 }];
  assert.is(
    compareArms(sparse, { baseline: "b", claims: [{ arm: "a", metric: "em", side: "higher" }] }).claims[0].verdict,
    "not resolved",
  );
  assert.throws(() => compareArms(sparse, { baseline: "b", claims: [{ arm: "c", metric: "em", side: "higher" }] }),
    /share no seed/);
});

test("bad input is named", () => {
  assert.throws(() => compareArms(results, { baseline: "averag" }), /Did you mean "average"/);
  assert.throws(
    () => compareArms(results, { baseline: "average", claims: [{ arm: "merge", metric: "ex", side: "higher" }] }),
    /has no ex/,
  );
  assert.throws(
    () => compareArms([...results, { arm: "merge", seed: 9, metric: "em", value: NaN }], { baseline: "average" }),
    /seed 9 is NaN/,
  );
});

test.run();
