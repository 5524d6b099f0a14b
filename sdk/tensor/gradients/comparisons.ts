import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "@tensorflow/tfjs";

/**
 * A comparison is flat almost everywhere: its gradient is zero. TensorFlow.js knows so of `GreaterEqual` alone, and stops at
 * the others even where a choice of experts only passes through them.
 */
export function registerComparisonGradients(): void {
  for (const kernelName of ["Equal", "NotEqual", "Less", "LessEqual", "Greater"]) {
    if (tf.getGradient(kernelName)) continue;
    tf.registerGradient({
      kernelName,
      inputsToSave: ["a", "b"],
      gradFunc: (_, saved) => {
        const [a, b] = saved as Tensor[];
        return { a: () => tf.zeros(a.shape), b: () => tf.zeros(b.shape) };
      },
    });
  }
}
