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
  return unit(into(up, upBias), gate && into(gate, gateBias), { activation, clamp });
}

/** What goes into `down`, from what came out of up and, in a gated expert, gate. */
export function unit(
  up: Tensor,
  gate: Tensor | undefined,
  { activation, clamp }: Pick<ExpertBank, "activation" | "clamp">,
): Tensor {
  if (!gate) return activate(up, activation);
  return clamp !== undefined ? clampedUnit(gate, up, clamp) : tf.mul(activate(gate, activation), up);
}

/** gate sigmoid(1.702 gate) (up + 1) of inputs cut at +- limit; the gate only from above. */
export function clampedUnit(gate: Tensor, up: Tensor, limit: number): Tensor {
  const g = tf.minimum(gate, limit);
  return tf.mul(tf.mul(g, tf.sigmoid(tf.mul(g, 1.702))), tf.add(tf.clipByValue(up, -limit, limit), 1));
}
