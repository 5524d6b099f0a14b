import type { Tensor } from "@tensorflow/tfjs-core";
import * as assert from "uvu/assert";
import { Rng, tf } from "../../sdk/tensor/index.js";

/** Standard normal values from a fixed seed. */
export function randomTensor(shape: number[], seed = 1, scale = 1): Tensor {
  const rng = new Rng(seed);
  return tf.tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => scale * rng.normal()), shape);
}

/**
 * Compares the gradient of `sum(f(inputs) * fixed weights)` with central differences along a few random directions.
 * float32 leaves about 1e-3 of relative accuracy with a step of 1e-2; wrong gradients are off by far more.
 */
export async function gradientCheck(
  f: (...inputs: Tensor[]) => Tensor,
  inputs: Tensor[],
  tolerance = 5e-3,
): Promise<void> {
  const shape = tf.tidy(() => f(...inputs).shape);
  const weights = randomTensor(shape, 99);
  const loss = (...at: Tensor[]) => tf.sum(tf.mul(f(...at), weights)) as tf.Scalar;
  const { value, grads } = tf.valueAndGrads(loss)(inputs);
  value.dispose();
  for (const [i, input] of inputs.entries()) {
    for (let trial = 0; trial < 3; trial++) {
      const direction = randomTensor(input.shape, 1000 + 10 * i + trial);
      const at = (step: number) =>
        tf.tidy(() => loss(...inputs.map((x, j) => (j === i ? tf.add(x, tf.mul(direction, step)) : x))).dataSync()[0]);
      const step = 1e-2;
      // five points: the error of the difference is of fourth order in the step
      const measured = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
      const claimed = tf.tidy(() => tf.sum(tf.mul(grads[i], direction)).dataSync()[0]);
      const scale = tf.tidy(() => tf.norm(grads[i]).dataSync()[0]) + 1e-2;
      assert.ok(Math.abs(measured - claimed) <= tolerance * scale,
        `input ${i}, direction ${trial}: the gradient says ${claimed}, differences say ${measured} (norm ${scale})`);
      direction.dispose();
    }
  }
  tf.dispose([weights, grads]);
}

/** Largest absolute difference is at most `tolerance`; says where. */
export function tensorClose(
  actual: Tensor,
  expected: Tensor | number[] | Float32Array,
  tolerance: number,
  what = "",
): void {
  const a = actual.dataSync();
  const b = expected instanceof tf.Tensor ? expected.dataSync() : expected;
  assert.is(a.length, b.length, `${what}: ${a.length} values, expected ${b.length}`);
  for (let i = 0; i < a.length; i++) {
    if (!(Math.abs(a[i] - b[i]) <= tolerance))
      assert.unreachable(`${what}[${i}]: ${a[i]}, expected ${b[i]} within ${tolerance}`);
  }
}
