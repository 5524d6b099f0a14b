import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Activation } from "./activation.js";
import { withGradient } from "./with-gradient.js";

/**
 * The activation functions of feed-forward blocks: "relu-squared" is max(x, 0)^2 (arXiv:2109.08668), "silu"
 * x * sigmoid(x), "gelu" the exact one (by erf), "gelu-tanh" its approximation by tanh.
 */
export function activate(x: Tensor, activation: Activation): Tensor {
  return tf.tidy(() => functions[activation](x));
}

const functions: Record<Activation, (x: Tensor) => Tensor> = {
  relu: (x) => tf.relu(x),
  "relu-squared": (x) => tf.square(tf.relu(x)),
  silu: (x) => silu(x),
  gelu: (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
  "gelu-tanh": (x) => {
    const inner = tf.mul(tf.add(x, tf.mul(tf.mul(tf.square(x), x), 0.044715)), Math.sqrt(2 / Math.PI));
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
  },
};

function silu(x: Tensor): Tensor {
  return withGradient([x], (save) => {
    const share = tf.sigmoid(x);
    const value = tf.mul(x, share);
    save([share, value]);
    return {
      value,
      // d/dx x s(x) = s + y (1 - s)
      gradient: (dy, saved) => {
        const [share, y] = saved;
        return tf.mul(dy, tf.add(share, tf.sub(y, tf.mul(y, share))));
      },
    };
  });
}
