import type { Tensor, Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mergedLinear, mergedLinearFlops } from "../../sdk/merge/merged-linear.js";
import { ready, Rng, tf } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { noLeaks } from "../support/tensors.js";

const test = suite("merged linear experts");
await ready();
const [B, T, E, K, I, O] = [3, 5, 4, 2, 6, 7];
const rng = new Rng(2);
const random = (...shape: number[]) =>
  tf.tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal()), shape);

/** run every chosen expert and add up */
function mixture(x: Tensor, choice: number[][], gates: Tensor, weight: Tensor, bias: Tensor): Tensor {
  return tf.stack(choice.map((experts, b) =>
    experts.map((e, k) => {
      const y = tf.add(
        tf.matMul(tf.squeeze(tf.slice(x, [b, 0, 0], [1, T, I]), [0]) as Tensor2D,
          tf.squeeze(tf.slice(weight, [e, 0, 0], [1, O, I]), [0]) as Tensor2D, false, true),
        tf.slice(bias, [e, 0], [1, O]),
      );
      return tf.mul(y, tf.slice(gates, [b, k], [1, 1]));
    }).reduce((a, b) => tf.add(a, b))
  ));
}

test("equals the mixture of outputs, and so do its gradients", () =>
  noLeaks(async () => {
    const choice = [[0, 3], [2, 1], [3, 2]];
    const [x, gates, weight, bias, pull] = [random(B, T, I), random(B, K), random(E, O, I), random(E, O),
      random(B, T, O)];
    const chosen = tf.tensor2d(choice, [B, K], "int32");
    const merged = (x: Tensor, gates: Tensor, weight: Tensor, bias: Tensor) =>
      tf.sum(
        tf.mul(pull, mergedLinear(x as Tensor3D, chosen, gates as Tensor2D, weight as Tensor3D, bias as Tensor2D)),
      );
    const mixed = (x: Tensor, gates: Tensor, weight: Tensor, bias: Tensor) =>
      tf.sum(tf.mul(pull, mixture(x, choice, gates, weight, bias)));
    const [a, b] = [mergedLinear(x as Tensor3D, chosen, gates as Tensor2D, weight as Tensor3D, bias as Tensor2D),
      tf.tidy(() => mixture(x, choice, gates, weight, bias))];
    close(await a.data(), await b.data(), 1e-5);
    const [ga, gb] = [tf.grads(merged)([x, gates, weight, bias]), tf.grads(mixed)([x, gates, weight, bias])];
    for (let i = 0; i < 4; i++) close(await ga[i].data(), await gb[i].data(), 1e-4, `gradient ${i}`);
    tf.dispose([x, gates, weight, bias, pull, chosen, a, b, ...ga, ...gb]);
  }));

test("the count of the paper: BERT-base with 4 of the experts, 128 tokens", () => {
  const { merged, mixture } = mergedLinearFlops(128, 4, 3072, 768);
  assert.is(mixture * 12 * 2 / 4, 2 * 768 * 3072 * 128 * 24);
  assert.ok(merged / mixture < 0.26);
});

test.run();
