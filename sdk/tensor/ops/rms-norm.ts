import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { fused } from "../fused.js";
import { withGradient } from "./with-gradient.js";

/**
 * Root-mean-square norm over the last axis: `x / sqrt(mean(x^2) + eps) * (gain + offset)`.
 *
 * @param x [..., D]
 * @param gain [D]
 * @param offset added to the gain before it multiplies (1 in models whose gains are stored around zero)
 */
export function rmsNorm(x: Tensor, gain: Tensor, eps: number, offset = 0): Tensor {
  return tf.tidy(() => {
    const weight = offset === 0 ? gain : tf.add(gain, offset);
    return fused.rmsNorm?.(x, weight, eps) ?? composed(x, weight, eps);
  });
}

function composed(x: Tensor, gain: Tensor, eps: number): Tensor {
  return withGradient([x, gain], (save) => {
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), eps));
    const unit = tf.mul(x, inverse);
    save([unit, inverse, gain]);
    return {
      value: tf.mul(unit, gain),
      gradient: (dy, saved) => {
        const [unit, inverse, gain] = saved;
        const scaled = tf.mul(dy, gain);
        const along = tf.mean(tf.mul(scaled, unit), -1, true);
        return [tf.mul(tf.sub(scaled, tf.mul(unit, along)), inverse), sumToLastAxis(tf.mul(dy, unit))];
      },
    };
  });
}

/** [..., D] -> [D] */
export function sumToLastAxis(x: Tensor): Tensor {
  return tf.sum(tf.reshape(x, [-1, x.shape[x.rank - 1]]), 0);
}
