import * as tf from "@tensorflow/tfjs-core";
import type { GradConfig, Tensor } from "@tensorflow/tfjs-core";

// The engine hands the gradient of a single part over without its array, which TensorFlow.js's own gradients do not
// expect.
const asArray = (dy: Tensor | Tensor[]) => (Array.isArray(dy) ? dy : [dy]);

export const split: GradConfig = {
  kernelName: "SplitV",
  gradFunc: (dy, _, attrs) => ({ x: () => tf.concat(asArray(dy), attrs.axis as number) }),
};

export const unstack: GradConfig = {
  kernelName: "Unpack",
  gradFunc: (dy, _, attrs) => ({ value: () => tf.stack(asArray(dy), attrs.axis as number) }),
};
