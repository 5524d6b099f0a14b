import type { Tensor } from "@tensorflow/tfjs-core";
import { oneHot, tf } from "../../tensor/index.js";
import type { Pass } from "../pass.js";
import type { RouterSpec } from "../router-spec.js";

/**
 * How many tokens of a sequence of T each of E experts takes. By kind `factor` K T w_i / sum_j w_j, where w is `paid`
 * of those that compute and 1 of the others: MoE++, arXiv:2410.07348, equation 8, with the K that its text forgets.
 */
export function capacities(
  capacity: RouterSpec["capacity"],
  { T, K, E, free }: { T: number; K: number; E: number; free: readonly number[] },
): number[] {
  if (typeof capacity === "number") return new Array<number>(E).fill(capacity);
  const worth = new Array<number>(E).fill(capacity.paid);
  for (const expert of free) worth[expert] = 1;
  const total = worth.reduce((sum, one) => sum + one, 0);
  return worth.map((own) => (capacity.factor * K * T * own) / total);
}

/** 1 for the choices [N, K] within their experts' capacity, in order of position (Switch, section 2.2), else 0 */
export function within(choice: Tensor, most: readonly number[], { B, T }: Pass): Tensor {
  const K = choice.shape[1] as number;
  const chosen = tf.reshape(oneHot(choice, most.length), [B, T * K, most.length]);
  const place = tf.sum(tf.mul(tf.cumsum(chosen, 1), chosen), -1);
  const limit = tf.sum(tf.mul(chosen, tf.tensor1d(most as number[])), -1);
  return tf.reshape(tf.cast(tf.lessEqual(place, limit), "int32"), [B * T, K]);
}
