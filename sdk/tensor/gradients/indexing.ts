import * as tf from "@tensorflow/tfjs-core";
import type { GradConfig, Tensor } from "@tensorflow/tfjs-core";

/** What was read from a place several times gives the place the sum. */
export const gatherNd: GradConfig = {
  kernelName: "GatherNd",
  inputsToSave: ["params", "indices"],
  gradFunc: (dy, [params, indices]) => ({
    params: () => tf.scatterND(indices, dy as Tensor, params.shape as [number]),
    indices: () => tf.zeros(indices.shape),
  }),
};

export const scatterNd: GradConfig = {
  kernelName: "ScatterNd",
  inputsToSave: ["indices"],
  gradFunc: (dy, [indices]) => ({
    updates: () => tf.gatherND(dy as Tensor, indices),
    indices: () => tf.zeros(indices.shape),
  }),
};

export const stridedSlice: GradConfig = {
  kernelName: "StridedSlice",
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attrs) => ({
    x: () =>
      tf.tidy(() => {
        const { begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } =
          attrs as unknown as Record<string, number[]> & Record<string, number>;
        // the same slice of the places tells where each number came from
        const places = tf.reshape(tf.range(0, x.size, 1, "int32"), x.shape);
        const taken = tf.stridedSlice(places, begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask,
          shrinkAxisMask);
        return tf.reshape(tf.scatterND(tf.reshape(taken, [-1, 1]), tf.reshape(dy as Tensor, [-1]), [x.size]), x.shape);
      }),
  }),
};
