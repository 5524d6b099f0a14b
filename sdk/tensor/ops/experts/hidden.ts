import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { activate } from "../activate.js";
import type { ExpertBank } from "../expert-bank.js";

/**
 * The hidden layer of experts.
 *
 * @param into gives the product of the input with the transposed weight, plus bias
 */
export function hidden(
  into: (weight: Tensor, bias?: Tensor) => Tensor,
  { up, upBias, gate, gateBias, activation, clamp }: ExpertBank,
): Tensor {
  if (!gate) return activate(into(up, upBias), activation);
  if (clamp !== undefined) return clampedUnit(into(gate, gateBias), into(up, upBias), clamp);
  return tf.mul(activate(into(gate, gateBias), activation), into(up, upBias));
}

/** gate sigmoid(1.702 gate) (up + 1) of inputs cut at +- limit; the gate only from above. */
export function clampedUnit(gate: Tensor, up: Tensor, limit: number): Tensor {
  const g = tf.minimum(gate, limit);
  return tf.mul(tf.mul(g, tf.sigmoid(tf.mul(g, 1.702))), tf.add(tf.clipByValue(up, -limit, limit), 1));
}
