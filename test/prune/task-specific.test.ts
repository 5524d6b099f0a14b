// The rule of arXiv:2206.00277 (as arXiv:2310.01334's code states it) once more, in plain numbers, beside EagerPruner.
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { planWith } from "../../sdk/methods.js";
import { EagerPruner } from "../../sdk/prune/eager-pruner.js";
import { taskSpecific } from "../../sdk/prune/task-specific.js";

/** What is alive after every step: one list of flags a step. */
function byTheRule(batches: number[][], T: number, P: number, beta: number, m: number): boolean[][] {
  const n = batches[0].length;
  let usage: number[] | undefined;
  let alive = new Array<boolean>(n).fill(true);
  const interval = Math.max(1, Math.floor(T / 2 / P));
  return batches.map((counts, at) => {
    const step = at + 1;
    const total = counts.reduce((a, b) => a + b, 0);
    if (step % 4 === 0 && total > 0) {
      const f = counts.map((count) => count / total);
      const mixed = usage ? usage.map((u, i) => 0.6 * u + 0.4 * f[i]) : f;
      const sum = mixed.reduce((a, b) => a + b, 0);
      usage = mixed.map((u) => Math.fround(u / sum));
    }
    const a = alive.filter(Boolean).length;
    if (step % interval === 0 && a > m) {
      const u = usage ?? new Array<number>(n).fill(1 / n);
      const mass = u.reduce((sum, one, i) => sum + (alive[i] ? one : 0), 0);
      const v = u.map((one, i) => (alive[i] ? (mass > 0 ? one / mass : 1 / a) : -1));
      const above = v.map((one, i) => alive[i] && one > beta / a);
      const order = v.map((_, i) => i).sort((i, j) => v[j] - v[i] || i - j).slice(0, m);
      alive = step >= T / 2 || above.filter(Boolean).length < m ? alive.map((_, i) => order.includes(i)) : above;
    }
    return [...alive];
  });
}

test("EagerPruner follows the rule, whatever is counted", () => {
  const runs = fc.record({ n: fc.integer({ min: 2, max: 8 }), T: fc.integer({ min: 10, max: 60 }),
    P: fc.integer({ min: 1, max: 5 }), beta: fc.constantFrom(0.1, 0.5, 0.9), keep: fc.integer({ min: 1, max: 8 }),
    seed: fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 480, maxLength: 480 }) });
  fc.assert(fc.property(runs, ({ n, T, P, beta, keep, seed }) => {
    const m = Math.min(keep, n);
    const batches = Array.from({ length: T }, (_, step) => seed.slice(step * n, step * n + n));
    const wanted = byTheRule(batches, T, P, beta, m);
    const pruner = new EagerPruner({ steps: T, keep: m, events: P, beta });
    let masked: number[] = [];
    batches.forEach((counts, at) => {
      masked = pruner.step(at + 1, { l: counts }).l ?? masked;
      assert.equal(masked, wanted[at].flatMap((one, expert) => (one ? [] : [expert])), `step ${at + 1}`);
    });
    assert.is(n - masked.length, m);
  }), { numRuns: 60 });
});

test("at once: the most used stay, or any that a seed draws", async () => {
  const profile = { model: { fingerprint: "f" },
    layers: { "layers.0": { experts: 6, tokens: 21, counts: [1, 5, 2, 6, 4, 3] } } } as never;
  const left = async (options: object) => {
    const { layers } = await planWith(taskSpecific, profile, { keep: 1 / 3, ...options });
    return layers["layers.0"].slots!.map(({ from }) => (from[0] as { expert: number }).expert);
  };
  assert.equal(await left({}), [1, 3]);
  const draws: string[] = [];
  for (const seed of [1, 2, 3, 4, 5, 6]) draws.push((await left({ by: "random", seed })).join());
  assert.ok(new Set(draws).size > 2);
  assert.equal((await left({ by: "random", seed: 3 })).join(), draws[2]);
});

test.run();
