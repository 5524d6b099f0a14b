import * as tf from "@tensorflow/tfjs-core";
import type { GradConfig, Tensor } from "@tensorflow/tfjs-core";

// One kernel each where the back end has it (torch), instead of three and four passes over memory. TensorFlow.js gives
// no
// second derivatives of operations whose gradient is computed from their result, so these kernels need no gradient.
const SIGMOID_GRAD = "SigmoidGrad";
const SOFTMAX_GRAD = "SoftmaxGrad";

const has = (kernel: string) => tf.getKernel(kernel, tf.getBackend()) !== undefined;
const run = (kernel: string, dy: Tensor, y: Tensor, attrs = {}) =>
  tf.engine().runKernel(kernel, { dy, y }, attrs) as Tensor;
/** sum over an axis, kept */
const along = (x: Tensor, axis: number) => tf.sum(x, axis, true);

const sigmoidGrad = (
  dy: Tensor,
  y: Tensor,
): Tensor => (has(SIGMOID_GRAD) ? run(SIGMOID_GRAD, dy, y) : tf.tidy(() => tf.mul(dy, tf.mul(y, tf.sub(1, y)))));
const softmaxGrad = (dy: Tensor, y: Tensor, dim: number): Tensor =>
  has(SOFTMAX_GRAD)
    ? run(SOFTMAX_GRAD, dy, y, { dim })
    : tf.tidy(() => tf.mul(y, tf.sub(dy, along(tf.mul(dy, y), dim))));

export const sigmoid: GradConfig = {
  kernelName: "Sigmoid",
  outputsToSave: [true],
  gradFunc: (dy, [y]) => ({ x: () => sigmoidGrad(dy as Tensor, y) }),
};

export const softmax: GradConfig = {
  kernelName: "Softmax",
  outputsToSave: [true],
  gradFunc: (dy, [y], attrs) => ({ logits: () => softmaxGrad(dy as Tensor, y, attrs.dim as number) }),
};
