import type { Tensor } from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type ExpertBank, experts, tf } from "../../../sdk/tensor/index.js";
import { cheapestMode } from "../../../sdk/tensor/ops/experts/cheapest-mode.js";
import { testedBackends, useBackend } from "../../support/backends.js";
import { gradientCheck, randomTensor, tensorClose } from "../../support/gradient-check.js";
import { noLeaks } from "../../support/tensors.js";

interface Shape {
  N: number;
  K: number;
  S: number;
  F: number;
  D: number;
  gated: boolean;
  biased: boolean;
  seed: number;
}

function build({ N, K, S, F, D, gated, biased, seed }: Shape) {
  const random = (shape: number[], salt: number) => randomTensor(shape, seed * 16 + salt, 0.5);
  const tensors: Record<string, Tensor> = { x: random([N, D], 0), gates: random([N, K], 1), up: random([S, F, D], 2),
    down: random([S, D, F], 3) };
  if (gated) tensors.gate = random([S, F, D], 4);
  if (biased) Object.assign(tensors, { upBias: random([S, F], 5), downBias: random([S, D], 6) });
  if (gated && biased) tensors.gateBias = random([S, F], 7);
  // -1 appears, and with few tokens some slot stays empty
  const choice = tf.tidy(() =>
    tf.cast(tf.floor(tf.mul(tf.abs(tf.sin(random([N, K], 8).mul(37))), S + 0.999)).sub(1), "int32")
  );
  return { tensors, choice };
}

function run(
  tensors: Record<string, Tensor>,
  choice: Tensor,
  mode: "auto" | "masked" | "padded" | "loop",
  activation: ExpertBank["activation"] = "silu",
) {
  const { x, gates, up, down, gate, upBias, gateBias, downBias } = tensors;
  return experts(x, choice, gates, { up, down, gate, upBias, gateBias, downBias, activation }, { mode });
}

for (const backend of testedBackends) {
  const test = suite(`experts on ${backend}`);
  test.before(() => useBackend(backend));

  test("two tokens, two experts, by hand", () =>
    noLeaks(() =>
      tf.tidy(() => {
        const bank: ExpertBank = { up: tf.tensor3d([[[1, 0]], [[0, 2]]]), down: tf.tensor3d([[[1], [0]], [[1], [1]]]),
          activation: "relu" };
        const x = tf.tensor2d([[3, 5], [-1, 1]]);
        const choice = tf.tensor2d([[0, 1], [0, -1]], [2, 2], "int32");
        const gates = tf.tensor2d([[0.5, 0.25], [1, 9]]);
        // token 0: 0.5 * 3 * [1, 0] + 0.25 * 10 * [1, 1]; token 1: relu(-1) = 0, and slot -1 gives nothing
        for (const mode of ["auto", "masked", "padded", "loop"] as const)
          tensorClose(experts(x, choice, gates, bank, { mode }), [4, 2.5, 0, 0], 1e-6, mode);
      })
    ));

  test("the modes agree, with their gradients, for any shape and routing", () => {
    const size = (max: number) => fc.integer({ min: 1, max });
    fc.assert(
      fc.property(
        fc.record({ N: size(9), K: size(3), S: size(5), F: size(6), D: size(5), gated: fc.boolean(),
          biased: fc.boolean(), seed: size(1000) }),
        (shape) => {
          tf.engine().startScope();
          const { tensors, choice } = build(shape);
          const names = Object.keys(tensors);
          const results = (["masked", "padded", "loop", "auto"] as const).map((mode) => {
            const f = (...values: Tensor[]) =>
              run(Object.fromEntries(names.map((name, i) => [name, values[i]])), choice, mode);
            const inputs = Object.values(tensors);
            const { value, grads } = tf.valueAndGrads((...values: Tensor[]) =>
              tf.sum(tf.square(f(...values))) as tf.Scalar
            )(inputs);
            return [f(...inputs), value, ...grads];
          });
          for (const result of results.slice(1))
            result.forEach((got, i) => {
              const expected = results[0][i];
              const scale = Math.max(1, ...expected.dataSync().map(Math.abs));
              tensorClose(got, expected.dataSync() as Float32Array, 2e-5 * scale, ["value", "loss", ...names][i]);
            });
          tf.engine().endScope();
        },
      ),
      { numRuns: 25, seed: 5, includeErrorInReport: true },
    );
  });

  test("gradients", async () => {
    tf.engine().startScope();
    const { tensors, choice } = build({ N: 5, K: 2, S: 3, F: 4, D: 3, gated: true, biased: true, seed: 2 });
    const names = Object.keys(tensors);
    for (const mode of ["masked", "padded", "loop"] as const) {
      await gradientCheck(
        (...values) => run(Object.fromEntries(names.map((name, i) => [name, values[i]])), choice, mode),
        Object.values(tensors),
      );
    }
    tf.engine().endScope();
  });

  test("a slot without tokens has a gradient of zeros, and no tokens at all give zeros", () =>
    tf.tidy(() => {
      const { tensors } = build({ N: 4, K: 1, S: 3, F: 2, D: 2, gated: false, biased: false, seed: 3 });
      for (const mode of ["auto", "masked", "padded", "loop"] as const) {
        const only1 = tf.fill([4, 1], 1, "int32");
        const grad = tf.grad((up: Tensor) => run({ ...tensors, up }, only1, mode))(tensors.up).dataSync();
        assert.ok(grad.slice(0, 4).every((g) => g === 0) && grad.slice(8).every((g) => g === 0), mode);
        assert.ok(grad.slice(4, 8).some((g) => g !== 0), mode);
        const none = tf.fill([4, 1], -1, "int32");
        tensorClose(run(tensors, none, mode), new Float32Array(8), 0, mode);
        const empty = tf.grad((up: Tensor) => run({ ...tensors, up }, none, mode))(tensors.up).dataSync();
        assert.ok(empty.every((g) => g === 0), mode);
      }
    }));

  test("a choice that is no slot is an error", () =>
    tf.tidy(() => {
      const { tensors } = build({ N: 2, K: 1, S: 3, F: 2, D: 2, gated: false, biased: false, seed: 3 });
      for (const slot of [3, -2])
        assert.throws(() => run(tensors, tf.fill([2, 1], slot, "int32"), "loop"),
          /chose slot -?\d of 3; accepted is 0 to 2, or -1/);
    }));

  test.run();
}

const model = suite("cost model of the modes");
model("many small experts are masked, even queues padded, wide experts and uneven queues looped", async () => {
  await useBackend("wasm");
  const modeOf = (S: number, F: number, queues: number[]) =>
    tf.tidy(() => {
      const tokens = queues.map((length) => ({ rows: new Int32Array(length), pairs: new Int32Array(length) }));
      return cheapestMode(queues.reduce((a, b) => a + b, 0), tokens, { up: tf.zeros([S, F, 64]),
        down: tf.zeros([S, 64, F]), activation: "relu" });
    });
  assert.is(modeOf(4, 8, [1, 1, 1, 1]), "masked");
  assert.is(modeOf(8, 64, new Array(8).fill(64)), "padded");
  assert.is(modeOf(8, 512, [800, 10, 10, 10, 10, 10, 10, 10]), "loop");
});
model.run();
