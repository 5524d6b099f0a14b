import type { Tensor } from "@tensorflow/tfjs-core";
import type { MoeRecord } from "../../model/pass.js";
import { tf } from "../../tensor/index.js";
import { sharesOf } from "./probabilities.js";

/**
 * Balance over groups of experts that live together: sum over groups of the mean f_i, with f of mean 1, times the sum
 * of P_i; 1 at balance. Equations 15 to 17 of arXiv:2401.06066.
 *
 * @param groups numbers of router outputs
 */
export function deviceBalanceLoss(record: MoeRecord, { groups }: { groups: readonly (readonly number[])[] }): Tensor {
  return tf.tidy(() => {
    const E = record.logits.shape[1];
    const { p, tokens, chosen } = sharesOf(record);
    const counts = tf.sum(chosen, 0);
    const f = tf.mul(tf.div(counts, tf.maximum(tf.sum(counts), 1)), E);
    const member = tf.tensor2d(
      groups.flatMap((group) => Array.from({ length: E }, (_, e) => Number(group.includes(e)))),
      [groups.length, E],
    );
    const mean = tf.div(tf.sum(tf.mul(member, f), 1), tf.tensor1d(groups.map(({ length }) => length)));
    return tf.sum(tf.mul(mean, tf.sum(tf.mul(member, tf.div(tf.sum(p, 0), tokens)), 1)));
  });
}
