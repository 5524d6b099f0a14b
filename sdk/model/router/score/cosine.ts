import type { Tensor } from "@tensorflow/tfjs-core";
import { tf } from "../../../tensor/index.js";
import { type LayerWeights, weight } from "../../held-weights.js";
import { linear } from "../../linear.js";
import type { RouterScore } from "../../router-spec.js";

/** Norms below this count as this; so do learned temperatures (MoEC's code). */
const FLOOR = 1e-4;

/** Cosines of tokens and experts in few dimensions, divided by a temperature: the gate of MoEC, arXiv:2207.09094. */
export function cosineScores(
  x: Tensor,
  { temperature }: Extract<RouterScore, { kind: "cosine" }>,
  weights: LayerWeights,
): Tensor {
  const z = unit(linear(x, weights, "router.hidden"));
  const cosines = tf.matMul(z as never, unit(weight(weights, "router")) as never, false, true);
  return tf.div(cosines, temperatureOf({ temperature }, weights));
}

/** The temperature of a cosine router, a number or [1]. */
export function temperatureOf(
  { temperature }: { temperature: number | "learned" },
  weights: LayerWeights,
): number | Tensor {
  return temperature === "learned" ? tf.maximum(weight(weights, "router.temperature"), FLOOR) : temperature;
}

/** rows of length 1; the length is no part of the gradient's kink at 0 */
function unit(rows: Tensor): Tensor {
  const squares = tf.sum(tf.square(rows), -1, true);
  return tf.div(rows, tf.sqrt(tf.maximum(squares, FLOOR ** 2)));
}
