import type { Tensor, Tensor4D } from "@tensorflow/tfjs-core";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { tf } from "../../../sdk/tensor/index.js";
import { registerTorch } from "../../../sdk/tensor/torch/register.js";
import { close } from "../../support/close.js";
import { gradientCheck, randomTensor } from "../../support/gradient-check.js";

const registration = await registerTorch();
if (!registration.ok) console.log(`skip: torch engine: ${registration.reason}`);
const onTorch = (name: string, run: () => Promise<void>) => (registration.ok
  ? test(name, async () => {
    await tf.setBackend("torch");
    const before = tf.memory().numTensors;
    await run();
    assert.is(tf.memory().numTensors, before, "tensors left behind");
  })
  : test.skip(name, run));

onTorch("the gradient of an average over padded windows is that of the forward pass", async () => {
  const padding: [[number, number], [number, number], [number, number], [number, number]] = [[0, 0], [1, 2], [0, 1], [0,
    0]];
  const x = randomTensor([1, 3, 3, 1], 5);
  await gradientCheck((x) => tf.avgPool(x as Tensor4D, 3, 1, padding), [x]);
  x.dispose();
});

onTorch("a convolution gradient whose shapes do not fit is an error", async () => {
  const [x, w] = [randomTensor([1, 8, 8, 8], 1), randomTensor([8, 8, 8, 8], 2)];
  assert.throws(() => tf.conv2dTranspose(x as Tensor4D, w as Tensor4D, [1, 4, 4, 8], 1, "same"), /does not fit/);
  tf.dispose([x, w]);
});

onTorch("tensors move between back ends in both directions", async () => {
  const x = tf.tensor1d([1, 2, 3]);
  const y = tf.mul(x, 2);
  await tf.setBackend("cpu");
  const z = tf.add(y, x);
  close(await z.data(), [3, 6, 9], 0);
  await tf.setBackend("torch");
  const w = tf.add(z, y);
  close(await w.data(), [5, 10, 15], 0);
  tf.dispose([x, y, z, w]);
});

onTorch("views share memory: changing a variable leaves the tensor it came from", async () => {
  const start = tf.tensor1d([1, 2, 3, 4]);
  const view = tf.reshape(start, [2, 2]);
  const variable = tf.variable(view as Tensor);
  tf.tidy(() => variable.assign(tf.add(variable, 1)));
  close(await start.data(), [1, 2, 3, 4], 0);
  close(await variable.data(), [2, 3, 4, 5], 0);
  tf.dispose([start, view, variable]);
});

onTorch("strings and complex numbers work by way of JavaScript", async () => {
  const words = tf.tidy(() => tf.concat([tf.tensor1d(["a", "b"]), tf.tensor1d(["c"])]));
  assert.equal(await words.data(), ["a", "b", "c"]);
  const spectrum = tf.tidy(() => tf.real(tf.fft(tf.complex([1, 2, 3, 4], [0, 0, 0, 0]))));
  close(await spectrum.data(), [10, -2, -2, -2], 1e-6);
  tf.dispose([words, spectrum]);
});

test.run();
