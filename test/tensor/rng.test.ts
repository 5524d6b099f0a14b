import { test } from "uvu";
import * as assert from "uvu/assert";
import { Rng } from "../../sdk/tensor/rng.js";

const draw = (rng: Rng, count = 5) => Array.from({ length: count }, () => rng.next());

test("the same seed gives the same numbers, another seed others", () => {
  assert.equal(draw(new Rng(7)), draw(new Rng(7)));
  assert.equal(draw(new Rng("seven")), draw(new Rng("seven")));
  assert.not.equal(draw(new Rng(7)), draw(new Rng(8)));
  assert.not.equal(draw(new Rng(1)), draw(new Rng(1 + 2 ** 32)));
  // fixed for ever, because recorded results depend on them
  const rng = new Rng(7);
  assert.equal([rng.bits(), rng.bits(), rng.bits()], [2064663467, 741845084, 1743615334]);
  assert.is(new Rng("router").bits(), 3353050766);
  assert.is(new Rng(7).fork("a").bits(), 262283462);
});

test("a state goes on where it was taken", () => {
  const rng = new Rng(3);
  draw(rng, 10);
  const copy = Rng.from(JSON.parse(JSON.stringify(rng.state())));
  assert.equal(draw(rng), draw(copy));
});

test("a fork depends on label and state, and leaves its origin alone", () => {
  const rng = new Rng(3);
  const before = rng.state();
  const [a, b, again] = [rng.fork("a"), rng.fork("b"), rng.fork("a")];
  assert.equal(rng.state(), before);
  assert.equal(draw(a), draw(again));
  assert.not.equal(draw(rng.fork("a")), draw(b));
  rng.next();
  assert.not.equal(draw(rng.fork("a")), draw(new Rng(3).fork("a")));
});

test("uniform, integer and normal numbers have their means and variances", () => {
  const rng = new Rng(11);
  const n = 20_000;
  const moments = (values: number[]) => {
    const mean = values.reduce((a, b) => a + b, 0) / n;
    return [mean, values.reduce((a, b) => a + (b - mean) ** 2, 0) / n];
  };
  const [uniformMean, uniformVariance] = moments(draw(rng, n));
  // five standard errors
  assert.ok(Math.abs(uniformMean - 0.5) < 5 * Math.sqrt(1 / 12 / n) && Math.abs(uniformVariance - 1 / 12) < 0.004);
  const [normalMean, normalVariance] = moments(Array.from({ length: n }, () => rng.normal()));
  assert.ok(Math.abs(normalMean) < 5 / Math.sqrt(n) && Math.abs(normalVariance - 1) < 5 * Math.sqrt(2 / n));
  const counts = new Array<number>(6).fill(0);
  for (let i = 0; i < n; i++) counts[rng.int(6)]++;
  assert.ok(counts.every((count) => Math.abs(count - n / 6) < 5 * Math.sqrt((n / 6) * (5 / 6))));
});

test("int of nothing to choose from is an error, not a loop without end", () => {
  for (const n of [0, -1, 1.5, NaN, 2 ** 33]) assert.throws(() => new Rng(1).int(n), /accepted is a whole number/);
});

test("shuffle keeps what is there, in place, and reaches every order", () => {
  const rng = new Rng(5);
  const array = Int32Array.from({ length: 50 }, (_, i) => i);
  assert.is(rng.shuffle(array), array);
  assert.equal([...array].sort((a, b) => a - b), Array.from({ length: 50 }, (_, i) => i));
  const orders = new Set(Array.from({ length: 200 }, () => rng.shuffle([1, 2, 3]).join("")));
  assert.is(orders.size, 6);
});

test.run();
