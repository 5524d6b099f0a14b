import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { withGradient } from "./with-gradient.js";

/** Scores at or below this count as masked; additive masks use -Infinity, the lowest float or about -1e9. */
const MASKED = -1e8;

/**
 * Softmax over the last axis. A row in which everything is masked (-Infinity or below -1e8) gives zeros, not NaN.
 *
 * @param x [..., V]
 */
export function safeSoftmax(x: Tensor): Tensor {
  return withGradient([x], (save) => {
    const top = tf.maximum(tf.max(x, -1, true), MASKED);
    const weights = tf.exp(tf.sub(x, top));
    // the largest term of a row that is not masked is 1, so the floor changes masked rows alone
    const value = tf.div(weights, tf.maximum(tf.sum(weights, -1, true), 1e-30));
    save([value]);
    return {
      value,
      gradient: (dy, saved) => {
        const [y] = saved;
        const weighted = tf.mul(dy, y);
        return tf.sub(weighted, tf.mul(y, tf.sum(weighted, -1, true)));
      },
    };
  });
}
