import type { Tensor } from "@tensorflow/tfjs-core";
import type { MoeRecord } from "../../model/pass.js";
import { isFree } from "../../model/spec.js";
import { tf } from "../../tensor/index.js";
import { sharesOf } from "./probabilities.js";

export interface BalanceOptions {
  /**
   * what f_i counts: "choices" (default), the share of all choices, which sums to 1; "tokens", the share of tokens that
   * chose expert i, which sums to the choices of a token
   */
  of?: "choices" | "tokens";
  /** "experts" (default): times E, so that 1 is balance; "none": as it is (MoE++) */
  times?: "experts" | "none";
  /** over which tokens a loss is made, and then averaged; default "batch" */
  per?: "batch" | "sequence";
  /** multiplies f_i of free experts: tau of MoE++, equation 7 */
  free?: number;
  /** free experts share the mean of their f_i (AdaMoE, equation 6) */
  together?: boolean;
}

/**
 * Load-balance loss of one layer: E sum_i f_i P_i, where f_i says how often expert i was chosen and P_i is its mean
 * probability; f has no gradient. By default 1 when both are uniform: equations 4 to 6 of arXiv:2101.03961 with every
 * choice counted 1/K, and equations 12 to 14 of arXiv:2401.06066.
 */
export function balanceLoss(record: MoeRecord, options: BalanceOptions = {}): Tensor {
  const { of = "choices", times = "experts", per = "batch", together } = options;
  return tf.tidy(() => {
    const [N, E] = record.logits.shape;
    const { p, real, tokens, chosen } = sharesOf(record);
    const rows = per === "sequence" ? record.rows ?? 1 : 1;
    const sums = (x: Tensor) => tf.sum(tf.reshape(x, [rows, N / rows, -1]), 1);
    const counts = sums(chosen);
    const length = rows === 1 ? tokens : tf.maximum(sums(real), 1);
    let f = tf.div(counts, of === "tokens" ? length : tf.maximum(tf.sum(counts, 1, true), 1));
    const { free, rest } = freeRow(record, E);
    if (together)
      f = tf.add(tf.mul(f, rest), tf.mul(tf.div(tf.sum(tf.mul(f, free), 1, true), tf.maximum(tf.sum(free), 1)), free));
    if (options.free !== undefined) f = tf.mul(f, tf.add(rest, tf.mul(free, options.free)));
    const loss = tf.mean(tf.sum(tf.mul(f, tf.div(sums(p), length)), 1));
    return times === "experts" ? tf.mul(loss, E) : loss;
  });
}

/** [1, E] 1 for outputs of free experts, and 1 for the others */
function freeRow({ spec: { expertOf, slots } }: MoeRecord, E: number): { free: Tensor; rest: Tensor } {
  const free = tf.tensor2d(expertOf.map((slot) => Number(!slots[slot] || isFree(slots[slot]))), [1, E]);
  return { free, rest: tf.sub(1, free) };
}
