import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { fused } from "../fused.js";
import { oneHot } from "./one-hot.js";
import { safeSoftmax } from "./safe-softmax.js";
import { withGradient } from "./with-gradient.js";

/**
 * Negative log probability of each row's label. A label of -1 gives loss 0 and no gradient.
 *
 * @param logits [N, V]
 * @param labels int32 [N]
 * @returns [N]
 */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  return fused.crossEntropy?.(logits, labels) ?? composed(logits, labels);
}

function composed(logits: Tensor, labels: Tensor): Tensor {
  const [rows, vocab] = logits.shape as [number, number];
  return withGradient([logits], (save) => {
    const counted = tf.cast(tf.greaterEqual(labels, 0), "float32");
    const label = tf.maximum(labels, tf.scalar(0, "int32"));
    const position = tf.add(tf.mul(tf.range(0, rows, 1, "int32"), tf.scalar(vocab, "int32")), label);
    const chosen = tf.gather(tf.reshape(logits, [-1]), position as tf.Tensor1D);
    save([logits, labels, counted]);
    return {
      value: tf.mul(tf.sub(tf.logSumExp(logits, -1), chosen), counted),
      gradient: (dy, saved) => {
        const [logits, labels, counted] = saved;
        return tf.mul(tf.sub(safeSoftmax(logits), oneHot(labels, vocab)), tf.expandDims(tf.mul(dy, counted), -1));
      },
    };
  });
}
