import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { sumToLastAxis } from "./rms-norm.js";
import { withGradient } from "./with-gradient.js";

/**
 * Layer norm over the last axis: mean 0 and variance 1 (divided by D, not D - 1), then gain and bias.
 *
 * @param x [..., D]
 * @param gain [D]
 * @param bias [D], or undefined for none
 */
export function layerNorm(x: Tensor, gain: Tensor, bias: Tensor | undefined, eps: number): Tensor {
  return tf.tidy(() => {
    const scaled = normalised(x, gain, eps);
    return bias ? tf.add(scaled, bias) : scaled;
  });
}

function normalised(x: Tensor, gain: Tensor, eps: number): Tensor {
  return withGradient([x, gain], (save) => {
    const centred = tf.sub(x, tf.mean(x, -1, true));
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), eps));
    const unit = tf.mul(centred, inverse);
    save([unit, inverse, gain]);
    return {
      value: tf.mul(unit, gain),
      gradient: (dy, saved) => {
        const [unit, inverse, gain] = saved;
        const scaled = tf.mul(dy, gain);
        const along = tf.mean(tf.mul(scaled, unit), -1, true);
        const dx = tf.mul(tf.sub(tf.sub(scaled, tf.mean(scaled, -1, true)), tf.mul(unit, along)), inverse);
        return [dx, sumToLastAxis(tf.mul(dy, unit))];
      },
    };
  });
}
