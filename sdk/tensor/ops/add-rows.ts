import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { withGradient } from "./with-gradient.js";

/**
 * Adds the rows that have one number into one row (segment sum); the gradient hands each row its sum's gradient.
 *
 * @param x [M, D]
 * @param ids int32 [M], the row of the result that each row is added to; -1: the row is left out
 * @param n rows of the result
 * @returns [n, D]
 * @example addRows([[1, 1], [2, 2], [4, 4]], [0, -1, 0], 2)  // [[5, 5], [0, 0]]
 */
export function addRows(x: Tensor, ids: Tensor, n: number): Tensor {
  return withGradient([x], (save) => {
    save([ids]);
    return {
      value: scatterRows(x, ids, n),
      gradient: (dy, saved) => gatherRows(dy, saved[0]),
    };
  });
}

/** addRows without a gradient. */
export function scatterRows(x: Tensor, ids: Tensor, n: number): Tensor {
  return tf.tidy(() => {
    // rows to leave out are added to one more row, which is cut off
    const target = tf.where(tf.less(ids, 0), tf.fill(ids.shape, n, "int32"), ids);
    const sums = tf.scatterND(tf.reshape(target, [-1, 1]), x, [n + 1, x.shape[1]!]);
    return tf.slice(sums, [0, 0], [n, x.shape[1]!]);
  });
}

/** Rows by number without a gradient; -1 gives zeros. */
export function gatherRows(x: Tensor, ids: Tensor): Tensor {
  return tf.tidy(() => {
    const present = tf.cast(tf.greaterEqual(ids, 0), "float32");
    return tf.mul(tf.gather(x, tf.maximum(ids, tf.scalar(0, "int32")) as tf.Tensor1D), tf.expandDims(present, -1));
  });
}
