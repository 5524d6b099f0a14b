import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "@tensorflow/tfjs";
import { oneHot } from "../ops/one-hot.js";

/** The gradient of each of the k values goes to the place that it came from. */
export function registerTopKGradient(): void {
  if (tf.getGradient("TopK")) return;
  tf.registerGradient({
    kernelName: "TopK",
    outputsToSave: [false, true],
    inputsToSave: ["x"],
    gradFunc: (dys, [x, indices]) => ({
      x: () => tf.tidy(() => {
        const width = x.shape[x.rank - 1]!;
        const places = oneHot(indices, width); // [..., k, E]
        return tf.sum(tf.mul(places, tf.expandDims((dys as Tensor[])[0], -1)), -2);
      }),
    }),
  });
}
