import type { Tensor } from "@tensorflow/tfjs-core";
import { tf } from "../../tensor/index.js";

/**
 * Half of KL(p || q) + KL(q || p) of two sets of logits [N, V], in nats, summed with a weight for each row [N]. From
 * log-softmax, so that it stays finite where a probability underflows. THOR, arXiv:2110.04260; gradients reach both.
 */
export function consistencyLoss(left: Tensor, right: Tensor, weights: Tensor): Tensor {
  return tf.tidy(() => {
    const [p, q] = [tf.logSoftmax(left as never) as Tensor, tf.logSoftmax(right as never) as Tensor];
    const each = tf.sum(tf.mul(tf.sub(tf.exp(p), tf.exp(q)), tf.sub(p, q)), -1);
    return tf.mul(tf.sum(tf.mul(each, weights)), 0.5);
  });
}
