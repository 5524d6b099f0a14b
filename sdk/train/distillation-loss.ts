import type { Tensor } from "@tensorflow/tfjs-core";
import { tf } from "../tensor/index.js";

export interface DistillationOptions {
  /** divides both logits; default 2 */
  temperature?: number;
  /**
   * "paper" (default): summed over positions and vocabulary, divided by the number of sequences alone, as the code of
   * arXiv:2310.01334 does ("batchmean" on [B, T, V]), without the factor T^2.
   * "textbook": mean over real positions, times T^2 (arXiv:1503.02531).
   */
  convention?: "paper" | "textbook";
}

/**
 * KL(teacher || student) of two sets of logits.
 *
 * @param student [N, V]
 * @param teacher [N, V], constant
 * @param counts [N] weight of each position: 1 counts, 0 does not. The paper's code counts padding as well: give ones
 * @param sequences B, what "paper" divides by
 * @returns a scalar in nats
 */
export function distillationLoss(
  student: Tensor,
  teacher: Tensor,
  counts: Tensor,
  sequences: number,
  options: DistillationOptions = {},
): Tensor {
  const { temperature = 2, convention = "paper" } = options;
  return tf.tidy(() => {
    const q = tf.logSoftmax(tf.div(student, temperature));
    const p = tf.logSoftmax(tf.div(teacher, temperature));
    const divergence = tf.sum(tf.mul(tf.exp(p), tf.sub(p, q)), -1);
    const total = tf.sum(tf.mul(divergence, counts));
    return convention === "paper"
      ? tf.div(total, sequences)
      : tf.mul(tf.div(total, tf.maximum(tf.sum(counts), 1)), temperature ** 2);
  });
}
