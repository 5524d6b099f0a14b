import type { Tensor } from "@tensorflow/tfjs-core";
import type { MoeRecord } from "../model/pass.js";
import { logSumExp, oneHot, tf } from "../tensor/index.js";

/**
 * Load-balance loss of one layer: E times the sum over experts of the share of tokens that chose it and its mean
 * probability; 1 when both are uniform. Padding counts in neither. Equations 4 to 6 of arXiv:2101.03961;
 * with K > 1 every choice counts 1/K.
 */
export function balanceLoss({ logits, choice }: MoeRecord): Tensor {
  return tf.tidy(() => {
    const [, E] = logits.shape;
    const real = tf.cast(tf.greaterEqual(tf.slice(choice, [0, 0], [-1, 1]), 0), "float32");
    const chosen = tf.sum(oneHot(tf.reshape(choice, [-1]), E), 0);
    const share = tf.div(chosen, tf.maximum(tf.sum(chosen), 1));
    const mean = tf.div(tf.sum(tf.mul(tf.softmax(logits), real), 0), tf.maximum(tf.sum(real), 1));
    return tf.mul(tf.sum(tf.mul(share, mean)), E);
  });
}

/**
 * Router z-loss of one layer: mean over real tokens of the squared log-sum-exp of the logits. Equation 5 of
 * arXiv:2202.08906.
 */
export function routerZLoss({ logits, choice }: MoeRecord): Tensor {
  return tf.tidy(() => {
    const real = tf.cast(tf.greaterEqual(tf.slice(choice, [0, 0], [-1, 1]), 0), "float32");
    const squared = tf.square(tf.reshape(logSumExp(logits), [-1, 1]));
    return tf.div(tf.sum(tf.mul(squared, real)), tf.maximum(tf.sum(real), 1));
  });
}
