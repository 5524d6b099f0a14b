import * as tf from "@tensorflow/tfjs-core";
import type { GradConfig } from "@tensorflow/tfjs-core";

/**
 * A comparison is constant almost everywhere: zeros, where TensorFlow.js stops with an error for all but GreaterEqual.
 */
export const comparisons: GradConfig[] = ["Equal", "NotEqual", "Greater", "Less", "LessEqual"].map((kernelName) => ({
  kernelName,
  inputsToSave: ["a", "b"],
  gradFunc: (_, [a, b]) => ({ a: () => tf.zeros(a.shape), b: () => tf.zeros(b.shape) }),
}));
