import type { Tensor } from "@tensorflow/tfjs-core";
import { oneHot, tf, topK } from "../../../tensor/index.js";
import { MASKED, type Pass } from "../../pass.js";
import type { RouterChoice } from "../../router-spec.js";
import type { Picked } from "../chosen.js";

/**
 * Expert choice, arXiv:2202.09368, equation 2: every expert takes its best ceil(factor T / E) tokens of a sequence of T
 * real ones. A token may have none or all experts; column e of the choice is expert e or none.
 */
export function byExpert(
  rank: Tensor,
  { factor }: Extract<RouterChoice, { kind: "by-expert" }>,
  { B, T, real }: Pass,
): Picked {
  const [N, E] = rank.shape as [number, number];
  const lengths = Array.from({ length: B },
    (_, b) => real ? real.subarray(b * T, (b + 1) * T).reduce((sum, one) => sum + one, 0) : T);
  const shares = lengths.map((length) => Math.min(length, Math.ceil((factor * length) / E)));
  const most = Math.max(1, ...shares);
  const open = real ? tf.add(rank, tf.tensor2d(Float32Array.from(real, (one) => (one ? 0 : MASKED)), [N, 1])) : rank;
  const rows = tf.reshape(tf.transpose(tf.reshape(open, [B, T, E]), [0, 2, 1]), [B * E, T]);
  const within = Float32Array.from({ length: B * E * most },
    (_, i) => Number(i % most < shares[Math.floor(i / (E * most))]));
  const chosen = tf.mul(oneHot(topK(rows, most).indices, T), tf.tensor3d(within, [B * E, most, 1]));
  const taken = tf.reshape(tf.transpose(tf.reshape(tf.sum(chosen, 1), [B, E, T]), [0, 2, 1]), [N, E]);
  const experts = tf.add(tf.range(0, E), 1);
  return { choice: tf.cast(tf.sub(tf.mul(taken, experts), 1), "int32"), values: tf.mul(rank, taken) };
}
