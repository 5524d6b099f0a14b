import { test } from "uvu";
import * as assert from "uvu/assert";
import { tf } from "../../../sdk/tensor/index.js";
import { registerTorch } from "../../../sdk/tensor/torch/register.js";

const registration = await registerTorch();

/** Loss and gradients of a small network with ordinary TensorFlow.js operations, on one back end. */
async function lossAndGradients(backend: string): Promise<Float32Array[]> {
  await tf.setBackend(backend);
  const values = (size: number, seed: number) =>
    Float32Array.from({ length: size }, (_, i) => Math.sin(i * 12.9898 + seed));
  const tensors = tf.tidy(() => {
    const x = tf.tensor2d(values(48, 1), [8, 6]);
    const labels = tf.tensor1d([0, 1, 2, 3, 0, 1, 2, 3], "int32");
    const w1 = tf.variable(tf.tensor2d(values(60, 2), [6, 10]), true, `w1-${backend}`);
    const w2 = tf.variable(tf.tensor2d(values(40, 3), [10, 4]), true, `w2-${backend}`);
    const { value, grads } = tf.variableGrads(() => {
      const hidden = tf.mul(tf.sigmoid(tf.matMul(x, w1)), tf.rsqrt(tf.add(tf.mean(tf.square(x), 1, true), 1e-5)));
      const logits = tf.matMul(hidden, w2);
      return tf.losses.softmaxCrossEntropy(tf.oneHot(labels, 4), logits) as tf.Scalar;
    });
    const results = [value, grads[w1.name], grads[w2.name]];
    tf.dispose([w1, w2]);
    return results;
  });
  const read = await Promise.all(tensors.map((t) => t.data<"float32">()));
  tf.dispose(tensors);
  return read;
}

if (!registration.ok) {
  console.log(`skip: torch engine: ${registration.reason}`);
  test.skip("training on the torch back end", () => {});
} else {
  test("ordinary training code gives the loss and the gradients of the JavaScript back end", async () => {
    const expected = await lossAndGradients("cpu");
    const before = tf.memory().numTensors;
    const seen = await lossAndGradients("torch");
    assert.is(tf.memory().numTensors, before);
    seen.forEach((tensor, which) => {
      assert.is(tensor.length, expected[which].length);
      // both sum some ten float32 terms, in another order
      tensor.forEach((value, i) =>
        assert.ok(Math.abs(value - expected[which][i]) < 1e-5,
          `tensor ${which}, element ${i}: ${value}, expected ${expected[which][i]}`)
      );
    });
  });

  test("a network trained with tf.train.adam learns", async () => {
    await tf.setBackend("torch");
    const weights = [[2, 16], [16], [16, 1], [1]].map((shape, i) =>
      tf.tidy(() => tf.variable(tf.mul(0.4, tf.randomNormal(shape, 0, 1, "float32", 7 + i))))
    );
    const [w1, b1, w2, b2] = weights as tf.Tensor[] as [tf.Tensor2D, tf.Tensor1D, tf.Tensor2D, tf.Tensor1D];
    const optimizer = tf.train.adam(0.02);
    const x = tf.tensor2d(Array.from({ length: 64 }, (_, i) => [Math.sin(i), Math.cos(i * 3)]));
    const y = tf.tidy(() => tf.sum(tf.square(x), 1, true)) as tf.Tensor2D;
    const loss = () =>
      tf.losses.meanSquaredError(y, tf.add(tf.matMul(tf.relu(tf.add(tf.matMul(x, w1), b1)), w2), b2)) as tf.Scalar;
    const losses = Array.from({ length: 120 }, () => {
      const value = optimizer.minimize(loss, true, weights)!;
      const [number] = value.dataSync();
      value.dispose();
      return number;
    });
    assert.ok(losses[119] < 0.2 * losses[0], `loss went from ${losses[0]} to ${losses[119]}`);
    tf.dispose([x, y, ...weights]);
    optimizer.dispose();
  });
}

test.run();
