import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { fused } from "../fused.js";
import { scatterRows } from "./add-rows.js";
import { withGradient } from "./with-gradient.js";

/**
 * Rows of a matrix by number; an embedding. The gradient adds each row's gradient to the row it came from.
 *
 * @param x [M, D]
 * @param rows int32 of any shape, 0 <= row < M
 * @returns [...rows.shape, D]
 */
export function takeRows(x: Tensor, rows: Tensor): Tensor {
  return tf.tidy(() => {
    const flat = tf.reshape(rows, [-1]);
    const taken = fused.takeRows?.(x, flat) ?? composed(x, flat);
    return tf.reshape(taken, [...rows.shape, x.shape[1]!]);
  });
}

function composed(x: Tensor, rows: Tensor): Tensor {
  return withGradient([x], (save) => {
    save([rows]);
    const count = x.shape[0];
    return {
      value: tf.gather(x, rows as tf.Tensor1D),
      gradient: (dy, saved) => scatterRows(dy, saved[0], count),
    };
  });
}
