import type { Tensor } from "@tensorflow/tfjs-core";
import type { MoeRecord } from "../../model/pass.js";
import { logSumExp, tf } from "../../tensor/index.js";
import { sharesOf } from "./probabilities.js";

/**
 * Router z-loss of one layer: mean over real tokens of the squared log-sum-exp of the logits. Equation 5 of
 * arXiv:2202.08906.
 */
export function routerZLoss(record: MoeRecord): Tensor {
  return tf.tidy(() => {
    const { real, tokens } = sharesOf(record);
    const squared = tf.square(tf.reshape(logSumExp(record.logits), [-1, 1]));
    return tf.div(tf.sum(tf.mul(squared, real)), tokens);
  });
}
