import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { binomialInterval } from "../../../sdk/evaluate/statistics/binomial-interval.js";
import { bootstrap } from "../../../sdk/evaluate/statistics/bootstrap.js";
import { holm } from "../../../sdk/evaluate/statistics/holm.js";
import { pairedT } from "../../../sdk/evaluate/statistics/paired-t.js";
import { pairsNeeded } from "../../../sdk/evaluate/statistics/pairs-needed.js";
import { ratio } from "../../../sdk/evaluate/statistics/ratio.js";
import { verdict } from "../../../sdk/evaluate/statistics/verdict.js";
import { mean, meanStderr } from "../../../sdk/statistics/mean.js";
import { median } from "../../../sdk/statistics/median.js";
import { Rng } from "../../../sdk/tensor/rng.js";

const close = (seen: number, wanted: number, digits = 6) =>
  assert.is(seen.toPrecision(digits), wanted.toPrecision(digits));

test("median: the middle, or the mean of the two in the middle", () => {
  assert.is(median([3, 1, 2]), 2);
  assert.is(median([10, 1, 3, 2]), 2.5);
  assert.ok(Number.isNaN(median([])));
});

test("paired t: the sleep data of Student (1908), as in R's t.test", () => {
  const first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2];
  const second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
  const { mean, low, high, p, n } = pairedT(first.map((value, index) => value - second[index]));
  close(mean, -1.58);
  close(low, -2.4598858);
  close(high, -0.7001142);
  close(p, 0.002832890, 6);
  assert.is(n, 10);
});

test("paired t: one pair is not resolved, equal differences are certain", () => {
  assert.equal([pairedT([3]).low, pairedT([3]).high, pairedT([3]).p], [-Infinity, Infinity, 1]);
  assert.equal([pairedT([2, 2, 2]).low, pairedT([2, 2, 2]).p], [2, 0]);
  assert.is(pairedT([0, 0]).p, 1);
});

test("paired t: p below 5 % exactly when the interval leaves out zero", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 3, maxLength: 12 }),
      (differences) => {
        const { low, high, p } = pairedT(differences);
        if (Math.abs(p - 0.05) > 1e-9) assert.is(p < 0.05, low > 0 || high < 0);
      }),
  );
});

test("holm: R's p.adjust", () => {
  const adjusted = holm([0.01, 0.02, 0.03, 0.005]);
  [0.03, 0.04, 0.04, 0.02].forEach((wanted, index) => close(adjusted[index], wanted));
  assert.equal(holm([0.9, 0.8]), [1, 1]);
  assert.equal(holm([]), []);
});

test("holm never lowers a p value and keeps their order", () => {
  fc.assert(fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 9 }), (p) => {
    const adjusted = holm(p);
    p.forEach((value, i) => {
      assert.ok(adjusted[i] >= value);
      p.forEach((other, j) => assert.ok(!(value < other) || adjusted[i] <= adjusted[j]));
    });
  }));
});

test("pairs needed: 7.85 (sd / difference)^2 for many, more for few", () => {
  assert.is(pairsNeeded(2, 1), 34); // R's power.t.test(delta = 1, sd = 2, power = .8, type = "paired") gives 33.4
  close(pairsNeeded(100, 1) / 1e4, 7.849, 3);
  assert.is(pairsNeeded(0, 1), 2);
  assert.is(pairsNeeded(1, -0.5), pairsNeeded(1, 0.5));
  assert.throws(() => pairsNeeded(1, 0), /difference 0/);
});

test("binomial interval: Clopper and Pearson", () => {
  // R: binom.test(3, 10), binom.test(0, 10)
  close(binomialInterval(3, 10).low, 0.06673951);
  close(binomialInterval(3, 10).high, 0.6524529);
  assert.is(binomialInterval(0, 10).low, 0);
  close(binomialInterval(0, 10).high, 0.3084971);
  assert.is(binomialInterval(10, 10).high, 1);
  assert.throws(() => binomialInterval(0.3, 10), /Give counts/);
});

test("bootstrap: near the standard error of a mean, the same for the same seed", () => {
  const values = Array.from({ length: 60 }, (_, index) => Math.sin(index * 12.9898) * 3);
  const run = (seed: number) => bootstrap(values, mean, { rng: new Rng(seed), resamples: 4000 });
  const { stderr, low, high } = run(1);
  assert.ok(Math.abs(stderr / meanStderr(values) - 1) < 0.06, `bootstrap ${stderr}, formula ${meanStderr(values)}`);
  assert.ok(low < mean(values) && mean(values) < high);
  assert.equal(run(1), run(1));
  assert.not.equal(run(1), run(2));
});

test("ratio: equal sizes give the mean of means and its standard error", () => {
  const values = [0.5, 1, 0, 0.25];
  const { value, stderr } = ratio(values.map((v) => 4 * v), [4, 4, 4, 4]);
  close(value, mean(values));
  close(stderr, meanStderr(values));
  assert.is(ratio([3, 0], [3, 1]).value, 0.75);
});

test("verdict: the claimed side decides", () => {
  assert.is(verdict({ low: 1, high: 2 }, "higher"), "reproduced");
  assert.is(verdict({ low: 1, high: 2 }, "lower"), "refuted");
  assert.is(verdict({ low: -2, high: -1 }, "lower"), "reproduced");
  assert.is(verdict({ low: -2, high: -1 }, "higher"), "refuted");
  assert.is(verdict({ low: 0, high: 2 }, "higher"), "not resolved");
});

test.run();
