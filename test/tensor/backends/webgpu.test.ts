import type { Tensor } from "@tensorflow/tfjs-core";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { activate } from "../../../sdk/tensor/backends/activate.js";
import { webgpu } from "../../../sdk/tensor/backends/webgpu.js";
import { activate as activation, adamW, addRows, attention, crossEntropy, experts, layerNorm, logSumExp, rmsNorm,
  rotate, safeSoftmax, straightThrough, takeRows, tf, topK } from "../../../sdk/tensor/index.js";
import { useBackend } from "../../support/backends.js";
import { close } from "../../support/close.js";
import { randomTensor } from "../../support/gradient-check.js";

// Correctness on any adapter, a software one too: MOELAB_BACKEND=webgpu needs the packages webgpu and
// @tensorflow/tfjs-backend-webgpu.
const test = suite("WebGPU");
const outcome = await activate(webgpu, true);
if (!outcome.ok) console.log(`skip: WebGPU: ${outcome.reason}`);

/** of three positions; a shader's own sine is exact to 2^-11 only */
const angles = (f: (x: number) => number) => tf.tensor2d([0, 1, 2, 3, 4, 5].map(f), [3, 2]);
const ids = (values: number[], shape = [values.length]) => tf.tensor(values, shape, "int32");
type Case = [name: string, shapes: number[][], run: (...inputs: Tensor[]) => Tensor];

/** Each with its value and its gradients; the JavaScript back end says what is right. */
const cases: Case[] = [["products, transposed", [[3, 4], [5, 4]], (a, b) => tf.matMul(a, b, false, true)], [
  "products, batched and broadcast",
  [[2, 3, 4], [4, 5]],
  (a, b) => tf.matMul(a, b),
], ["einsum of heads", [[2, 2, 3, 4], [2, 2, 5, 4]], (q, k) => tf.einsum("bhtd,bhsd->bhts", q, k)], [
  "einsum of experts",
  [[3, 2], [2, 4, 2]],
  (x, w) => tf.einsum("nd,efd->nef", x, w),
], ["top-k", [[6, 9]], (x) => topK(x, 3).values], ["rows taken", [[5, 3]], (x) => takeRows(x, ids([4, 0, 4, 2]))], [
  "rows added",
  [[4, 3]],
  (x) => addRows(x, ids([1, -1, 1, 0]), 3),
], ["gather of an axis", [[3, 4, 2]], (x) => tf.gather(x, ids([2, 0, 2]), 1)], ["scatter", [[3]],
  (x) => tf.scatterND(ids([0, 1, 2, 0, 0, 1], [3, 2]), x, [3, 2])], ["segment sums", [[4, 2]],
  (x) => tf.unsortedSegmentSum(x, tf.tensor1d([2, 0, 2, 1], "int32"), 4)], ["cumulative sums", [[3, 4]],
  (x) => tf.cumsum(x, 1, true, true)], ["cumulative products", [[3, 4]], (x) => tf.cumprod(x, 1)], ["straight-through",
  [[3, 4]], (x) => straightThrough(tf.round(x), x)], ["safe softmax", [[3, 7]], (x) => safeSoftmax(x)], ["log-sum-exp",
  [[3, 7]], (x) => logSumExp(x)], ["cross-entropy", [[4, 6]], (x) => crossEntropy(x, ids([3, -1, 0, 5]))],
  ...(["relu", "relu-squared", "silu", "gelu", "gelu-tanh"] as const).map(
    (name): Case => [name, [[4, 5]], (x) => activation(x, name)]
  ), ["root mean square norm", [[3, 5, 8], [8]], (x, gain) => rmsNorm(x, gain, 1e-6)], ["layer norm", [[4, 8], [8], [
  8,
]], (x, gain, bias) => layerNorm(x, gain, bias, 1e-5)], ["rotary embedding", [[1, 2, 3, 5]],
  (x) => rotate(x, angles(Math.cos), angles(Math.sin), { interleaved: false })], ["causal attention with grouped heads",
  [[1, 4, 3, 8], [1, 2, 3, 8], [1, 2, 3, 8]], (q, k, v) => attention(q, k, v, { scale: 0.4, causal: true })], [
  "attention with a mask",
  [[2, 2, 3, 8], [2, 2, 5, 8], [2, 2, 5, 8], [1, 2, 3, 5]],
  (q, k, v, mask) => attention(q, k, v, { scale: 0.4, mask }),
], ["experts", [[6, 4], [6, 2], [3, 5, 4], [3, 4, 5], [3, 5, 4]],
  (x, gates, up, down, gate) =>
    experts(x, ids([0, 1, 2, 0, -1, 1, 0, 0, 1, 2, 2, -1], [6, 2]), gates, { up, down, gate, activation: "silu" })]];

async function valueAndGradients(backend: string, [, shapes, run]: Case): Promise<Float32Array[]> {
  if (backend === "webgpu") await activate(webgpu, true);
  else await useBackend(backend);
  const inputs = shapes.map((shape, i) => randomTensor(shape, i + 1));
  const results = tf.tidy(() => {
    const value = run(...inputs);
    const weights = randomTensor(value.shape, 99);
    return [value, ...tf.grads((...at: Tensor[]) => tf.sum(tf.mul(run(...at), weights)))(inputs)];
  });
  const numbers = await Promise.all(results.map(async (tensor) => Float32Array.from(await tensor.data())));
  tf.dispose([inputs, results]);
  return numbers;
}

for (const one of cases) {
  (outcome.ok ? test : test.skip)(`${one[0]}: value and gradients are those of the JavaScript back end`, async () => {
    const expected = await valueAndGradients("cpu", one);
    const before = tf.memory().numTensors;
    const seen = await valueAndGradients("webgpu", one);
    assert.is(tf.memory().numTensors, before, "tensors left behind");
    // shaders may contract products and sums, and approximate exp: some units in the last place
    seen.forEach((numbers, i) => close(numbers, expected[i], 2e-5, i === 0 ? "value" : `gradient of input ${i - 1}`));
  });
}

(outcome.ok ? test : test.skip)("a step of AdamW", async () => {
  const after: Float32Array[] = [];
  for (const backend of ["cpu", "webgpu"]) {
    if (backend === "webgpu") await activate(webgpu, true);
    else await useBackend(backend);
    const [start, grad, zeros] = [randomTensor([3, 4], 1), randomTensor([3, 4], 2), tf.zeros([3, 4])];
    const [param, first, second] = [tf.variable(start), tf.variable(zeros), tf.variable(zeros)];
    adamW([param], [grad], [first], [second], 1, { lr: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, decay: [0.1] });
    after.push(Float32Array.from(await param.data()));
    tf.dispose([start, grad, zeros, param, first, second]);
  }
  close(after[1], after[0], 1e-5);
});

test.run();
