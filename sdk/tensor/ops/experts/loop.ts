import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { addRows } from "../add-rows.js";
import type { ExpertBank } from "../expert-bank.js";
import { takeRows } from "../take-rows.js";
import { hidden } from "./hidden.js";
import type { SlotTokens } from "./tokens-by-slot.js";

/** One expert after another, each on its own tokens. At least one slot has tokens. */
export function loop(x: Tensor, tokens: SlotTokens, gates: Tensor, bank: ExpertBank): Tensor {
  // the gradient of unstack stacks, with zeros for slots that nothing used
  const parts = (stack?: Tensor) => (stack ? tf.unstack(stack) : []);
  const [up, gate, down] = [bank.up, bank.gate, bank.down].map(parts);
  const [upBias, gateBias, downBias] = [bank.upBias, bank.gateBias, bank.downBias].map(parts);
  const flatGates = tf.reshape(gates, [-1, 1]);
  const used = tokens.map((_, s) => s).filter((s) => tokens[s].rows.length > 0);
  const outputs = used.map((s) => {
    const input = takeRows(x, tf.tensor1d(tokens[s].rows, "int32"));
    const affine = (from: Tensor, weight: Tensor, bias?: Tensor) => {
      const product = tf.matMul(from, weight, false, true);
      return bias ? tf.add(product, bias) : product;
    };
    const one = { up: up[s], gate: gate[s], down: down[s], upBias: upBias[s], gateBias: gateBias[s],
      activation: bank.activation, clamp: bank.clamp };
    const computed = hidden((weight, bias) => affine(input, weight, bias), one);
    return tf.mul(affine(computed, down[s], downBias[s]), takeRows(flatGates, tf.tensor1d(tokens[s].pairs, "int32")));
  });
  const targets = used.map((s) => tf.tensor1d(tokens[s].rows, "int32"));
  return addRows(tf.concat(outputs, 0), tf.concat(targets, 0), x.shape[0]);
}
