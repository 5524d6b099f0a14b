import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { MoeRecord } from "../../sdk/model/pass.js";
import { tf } from "../../sdk/tensor/index.js";
import { consistencyLoss } from "../../sdk/train/objectives/consistency.js";
import { type RouterLoss, routerLoss } from "../../sdk/train/objectives/router-loss.js";
import { testedBackends, useBackend } from "../support/backends.js";
import { gradientCheck, randomTensor } from "../support/gradient-check.js";
import { blockOf } from "../support/oracle-layer.js";

const [N, E] = [12, 6];
const spec = blockOf({ experts: [{ count: 4 }, { form: "copy" }, { form: "zero" }], router: { topK: 2 } }, {
  width: 2,
});
const losses: Record<string, RouterLoss> = {
  balance: { kind: "balance", weight: 1 },
  "balance of tokens, free ones together": { kind: "balance", of: "tokens", together: true, weight: 1 },
  "balance by kind": { kind: "balance", of: "tokens", times: "none", free: 0.5, weight: 1 },
  "balance of sequences": { kind: "balance", per: "sequence", weight: 1 },
  z: { kind: "z", weight: 1 },
  entropy: { kind: "entropy", weight: 1 },
  device: { kind: "device", groups: [[0, 1, 2], [3, 4, 5]], weight: 1 },
  cluster: { kind: "cluster", clusters: 2, temperature: 1, weight: 1 },
  "cluster by gap": { kind: "cluster", clusters: 2, within: "gap", temperature: 1, weight: 1 },
};

for (const backend of testedBackends) {
  const test = suite(`losses of routers with ${backend}`);
  test.before(() => useBackend(backend));

  /** two sequences, the last row of the second is padding */
  const recordOf = (logits: tf.Tensor): MoeRecord => {
    const real = new Uint8Array(N).fill(1, 0, N - 1);
    // choices are constants: they do not follow the logits of a difference
    const choice = tf.tensor2d(Array.from({ length: N * 2 }, (_, i) => (i >= 2 * N - 2 ? -1 : (i * 5 + (i >> 2)) % E)),
      [N, 2], "int32");
    return { logits, choice, real, rows: 2, spec, weights: new Map() } as never;
  };

  for (const [name, loss] of Object.entries(losses)) {
    test(`${name}: gradient by differences; padding counts nowhere`, async () => {
      const logits = randomTensor([N, E], 3);
      await gradientCheck((logits) => routerLoss(recordOf(logits), loss), [logits]);
      const other = tf.tidy(() =>
        tf.add(logits, tf.mul(tf.tensor2d(Array.from({ length: N }, (_, n) => Number(n === N - 1)), [N, 1]), 3 * 1.5))
      );
      const [one, two] = tf.tidy(() =>
        [logits, tf.mul(other, 1)].map((each) => routerLoss(recordOf(each), loss).dataSync()[0])
      );
      assert.ok(Math.abs(one - two) < 1e-5, `${one} and ${two}`);
      tf.dispose([logits, other]);
    });
  }

  test("consistency: gradients of both sides by differences", async () => {
    const sides = [randomTensor([4, 5], 1), randomTensor([4, 5], 2)];
    const weights = tf.tensor1d([0.5, 0.25, 0.25, 0]);
    await gradientCheck((p, q) => consistencyLoss(p, q, weights), sides);
    tf.dispose([...sides, weights]);
  });

  test.run();
}
