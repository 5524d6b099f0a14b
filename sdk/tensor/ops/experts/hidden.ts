import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "@tensorflow/tfjs";
import { activate } from "../activate.js";
import type { ExpertBank } from "../experts.js";

/**
 * The hidden layer of experts.
 *
 * @param into gives the product of the input with the transposed weight, plus bias
 */
export function hidden(into: (weight: Tensor, bias?: Tensor) => Tensor, { up, upBias, gate, gateBias, activation }: ExpertBank): Tensor {
  if (!gate) return activate(into(up, upBias), activation);
  return tf.mul(activate(into(gate, gateBias), activation), into(up, upBias));
}
