import type { Tensor } from "@tensorflow/tfjs-core";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Shape } from "../../../sdk/model/form/form.js";
import { applyForm, formTensors, hasWhole, heldForm, wholeOf } from "../../../sdk/model/form/forms.js";
import type { MatrixForm } from "../../../sdk/model/form/matrix-form.js";
import type { RouterSpec } from "../../../sdk/model/router-spec.js";
import { Rng, tf } from "../../../sdk/tensor/index.js";
import { testedBackends, useBackend } from "../../support/backends.js";
import { close } from "../../support/close.js";
import { noLeaks } from "../../support/tensors.js";

const SHAPE: Shape = [6, 4];
const ROWS = 5;
const router: RouterSpec = { kind: "softmax", topK: 3, normalize: false, scale: 1, bias: true, capacity: 0 };
const forms: Record<string, MatrixForm> = {
  factors: { form: "low-rank-sparse", rank: 2, rows: 3 },
  "scaled inputs": { form: "scaled", side: "in" },
  "scaled outputs": { form: "scaled", side: "out" },
  blocks: { form: "blocks", groups: 2, shuffled: false },
  "shuffled blocks": { form: "blocks", groups: 2, shuffled: true },
  "adapters of all": { form: "adapted", adapters: 3, rank: 2, scale: 0.5, router },
  "the best adapters": { form: "adapted", adapters: 3, rank: 2, scale: 2,
    router: { ...router, topK: 2, normalize: true } },
};

/** held tensors with random numbers, S of them stacked where it says so */
function drawn(form: MatrixForm, rng: Rng, stack: number[] = []): Map<string, Tensor> {
  return new Map(formTensors(heldForm(form, SHAPE), SHAPE).map(({ name, shape, index }) => {
    const values = index
      ? Array.from({ length: stack[0] ?? 1 }, () => rng.shuffle(Array.from({ length: shape[0] }, (_, at) => at))).flat()
      : Array.from({ length: [...stack, ...shape].reduce((a, b) => a * b, 1) }, () => rng.normal());
    return [name, tf.tensor(values, [...stack, ...shape], "float32")];
  }));
}

for (const backend of testedBackends) {
  const test = suite(`forms on ${backend}`);
  test.before(() => useBackend(backend));

  for (const [what, form] of Object.entries(forms)) {
    test(`${what}: gradients are those of finite differences`, () =>
      noLeaks(async () => {
        const rng = new Rng(what);
        const parts = drawn(form, rng);
        const x = tf.tensor2d(Float32Array.from({ length: ROWS * SHAPE[1] }, () => rng.normal()), [ROWS, SHAPE[1]]);
        const worth = tf.tensor2d(Float32Array.from({ length: ROWS * SHAPE[0] }, () => rng.normal()), [ROWS, SHAPE[0]]);
        const trained = [...parts].filter(([name]) => ![".inputs", ".outputs"].includes(name));
        const inputs = [x, ...trained.map(([, tensor]) => tensor)];
        const loss = (x: Tensor, ...given: Tensor[]) => {
          const part = (suffix: string) => {
            const at = trained.findIndex(([name]) => name === suffix);
            return at < 0 ? parts.get(suffix)! : given[at];
          };
          return tf.sum(tf.mul(tf.tanh(applyForm(x, heldForm(form, SHAPE), part, SHAPE)), worth));
        };
        const gradients = tf.grads(loss)(inputs);
        const step = 5e-3;
        for (const [which, input] of inputs.entries()) {
          const values = await input.data() as Float32Array, gradient = await gradients[which].data();
          for (const at of new Set([0, 1, values.length >> 1, values.length - 1])) {
            const [up, down] = [step, -step].map((by) => {
              const moved = values.slice();
              moved[at] += by;
              return tf.tidy(() =>
                loss(...inputs.map((one, i) => i === which ? tf.tensor(moved, one.shape) : one) as [Tensor])
                  .dataSync()[0]
              );
            });
            const found = (up - down) / (2 * step);
            // float32 sums of a few units, over a step of a hundredth
            assert.ok(Math.abs(found - gradient[at]) < 5e-3 * Math.max(1, Math.abs(found)),
              `${["x", ...trained.map(([name]) => name || "matrix")][which]}[${at}]: ${
                gradient[at]
              }, by steps ${found}`);
          }
        }
        tf.dispose([x, worth, ...parts.values(), ...gradients]);
      }));

    if (!hasWhole(form)) continue;
    test(`${what}: the whole multiplies as it does, alone and stacked`, () =>
      noLeaks(async () => {
        const rng = new Rng(what), held = heldForm(form, SHAPE);
        const stack = drawn(form, rng, [2]);
        const x = tf.tensor2d(Float32Array.from({ length: ROWS * SHAPE[1] }, () => rng.normal()), [ROWS, SHAPE[1]]);
        const all = tf.tidy(() => tf.unstack(wholeOf(held, (suffix) => stack.get(suffix)!, SHAPE)!));
        for (const [at, whole] of all.entries()) {
          assert.equal(whole.shape, [...SHAPE]);
          const [own, expected] = tf.tidy(() => {
            const part = (suffix: string) => tf.unstack(stack.get(suffix)!)[at];
            return [applyForm(x, held, part, SHAPE), tf.matMul(x, whole as typeof x, false, true)];
          });
          close(await own.data(), await expected.data(), 1e-5, `${at}`);
          tf.dispose([own, expected]);
        }
        tf.dispose([x, ...all, ...stack.values()]);
      }));
  }
  test.run();
}
