import * as tf from "@tensorflow/tfjs-core";
import type { GradConfig, Tensor } from "@tensorflow/tfjs-core";
import { oneHot } from "../ops/one-hot.js";

/** The gradient of each of the k values goes to the place that the value came from. */
export const topK: GradConfig = {
  kernelName: "TopK",
  inputsToSave: ["x"],
  outputsToSave: [false, true],
  gradFunc: (dys, [x, indices]) => ({
    x: () =>
      tf.tidy(() => {
        const places = oneHot(indices, x.shape[x.rank - 1]!); // [..., k, E]
        return tf.sum(tf.mul(places, tf.expandDims((dys as Tensor[])[0], -1)), -2);
      }),
  }),
};
