import type { Tensor } from "@tensorflow/tfjs-core";
import { oneHot, stopGradient, tf, topK } from "../../../tensor/index.js";
import { MASKED } from "../../pass.js";
import type { RouterSpec } from "../../router-spec.js";
import type { Choice } from "../chosen.js";

/**
 * SparseMixer at evaluation: one choice after the other, each out of what is left. A gate is the softmax over the
 * rivals whose logit is within 2 jitter of the best, relative to the larger of the two. arXiv:2409.12136.
 */
export function oneByOne(logits: Tensor, { topK: K, jitter = 0.01 }: RouterSpec): Choice {
  const E = logits.shape[1] as number;
  const choices: Tensor[] = [], gates: Tensor[] = [];
  let left = logits;
  for (let k = 0; k < K; k++) {
    const { values: top, indices } = topK(left, 1);
    // who is a rival is a decision without a gradient
    const distance = stopGradient(
      tf.div(tf.sub(top, logits), tf.maximum(tf.abs(logits), tf.mul(top, tf.onesLike(logits)))),
    );
    const rivals = tf.softmax(tf.add(left, tf.mul(tf.cast(tf.greater(distance, 2 * jitter), "float32"), MASKED)));
    const chosen = oneHot(tf.reshape(indices, [-1]), E);
    choices.push(indices);
    gates.push(tf.sum(tf.mul(rivals, chosen), -1, true));
    left = tf.add(left, tf.mul(chosen, MASKED));
  }
  return { choice: tf.concat(choices, 1), gates: tf.concat(gates, 1) };
}
