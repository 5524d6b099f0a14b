import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EagerPruner } from "../../sdk/prune/eager-pruner.js";

const test = suite("eager pruner");

test("experts below the threshold go first, the most used stay at half time", () => {
  const pruner = new EagerPruner({ steps: 40, keep: 1, events: 5 });
  const counts = { "layers.0": [60, 30, 9, 1], "layers.1": [25, 25, 25, 25] };
  const history: Record<number, Record<string, number[]>> = {};
  for (let t = 1; t <= 40; t++) {
    const changed = pruner.step(t, counts);
    if (Object.keys(changed).length > 0) history[t] = changed;
  }
  // 0.1 / 4 = 0.025: expert 3 goes at the first event; the even layer loses nobody before half time
  assert.equal(history, { 4: { "layers.0": [3] }, 20: { "layers.0": [1, 2, 3], "layers.1": [1, 2, 3] } });
});

test("usage is a running mean: 0.6 of what it was, 0.4 of the batch", () => {
  const pruner = new EagerPruner({ steps: 80, keep: 1, events: 5, beta: 0.9 });
  // usage [1, 0] then [0.6, 0.4]: at the event of step 8 only the first share counts 0.6 > 0.45, 0.4 is not
  assert.equal(pruner.step(4, { l: [1, 0] }), {});
  assert.equal(pruner.step(8, { l: [0, 1] }), { l: [1] });
});

test("never fewer than asked for, and a dead expert stays dead", () => {
  const pruner = new EagerPruner({ steps: 20, keep: 2, events: 5, every: 1 });
  let alive = [0, 1, 2, 3];
  for (let t = 1; t <= 20; t++) {
    const masked = pruner.step(t, { l: t < 6 ? [97, 1, 1, 1] : [1, 1, 1, 97] }).l;
    if (masked) {
      const now = [0, 1, 2, 3].filter((expert) => !masked.includes(expert));
      assert.ok(now.every((expert) => alive.includes(expert)));
      alive = now;
    }
  }
  assert.equal(alive, [0, 1]);
});

test.run();
