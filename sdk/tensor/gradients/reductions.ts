import * as tf from "@tensorflow/tfjs-core";
import type { GradConfig, Tensor } from "@tensorflow/tfjs-core";

// TensorFlow.js spreads these gradients by products with ones, which it makes in JavaScript at full size.

/** Every summand gets the gradient of its sum. */
export const sum: GradConfig = {
  kernelName: "Sum",
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attrs) => ({ x: () => spread(dy as Tensor, x.shape, attrs.axis as number | number[]) }),
};

export const mean: GradConfig = {
  kernelName: "Mean",
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attrs) => ({
    x: () =>
      tf.tidy(() =>
        spread(tf.div(dy as Tensor, x.size / (dy as Tensor).size), x.shape, attrs.axis as number | number[])
      ),
  }),
};

/** What was repeated gets the sum over its repetitions. */
export const tile: GradConfig = {
  kernelName: "Tile",
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attrs) => ({
    x: () =>
      tf.tidy(() => {
        const reps = attrs.reps as number[];
        const repeated = reps.map((_, axis) => axis).filter((axis) => reps[axis] !== 1);
        if (repeated.every((axis) => x.shape[axis] === 1)) return tf.reshape(tf.sum(dy as Tensor, repeated), x.shape);
        // each repeated axis opens into one of repetitions and one of its own
        const opened = x.shape.flatMap((length, axis) => (repeated.includes(axis) ? [reps[axis], length] : [length]));
        return tf.sum(tf.reshape(dy as Tensor, opened), repeated.map((axis, before) => axis + before));
      }),
  }),
};

/** A reduction's gradient, repeated along the axes that it took away. */
function spread(dy: Tensor, shape: number[], axis: number | number[]): Tensor {
  return tf.tidy(() => {
    const axes = tf.util.parseAxisParam(axis, shape);
    const kept = tf.reshape(dy, shape.map((length, at) => (axes.includes(at) ? 1 : length)));
    return axes.every((at) => shape[at] === 1)
      ? kept
      : tf.tile(kept, shape.map((length, at) => (axes.includes(at) ? length : 1)));
  });
}
