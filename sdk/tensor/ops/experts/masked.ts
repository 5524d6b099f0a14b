import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { ExpertBank } from "../expert-bank.js";
import { oneHot } from "../one-hot.js";
import { hidden } from "./hidden.js";

/** [N, D] x [D, S F], times the gates, x [S F, D]: every expert on every token. */
export function masked(x: Tensor, choice: Tensor, gates: Tensor, bank: ExpertBank): Tensor {
  const [S, F, D] = bank.up.shape as [number, number, number];
  const share = tf.sum(tf.mul(oneHot(choice, S), tf.expandDims(gates, -1)), 1); // [N, S]
  const computed = hidden((weight, bias) => {
    const product = tf.matMul(x, tf.reshape(weight, [S * F, D]), false, true);
    return bias ? tf.add(product, tf.reshape(bias, [S * F])) : product;
  }, bank);
  const weighted = tf.mul(tf.reshape(computed, [-1, S, F]), tf.expandDims(share, -1));
  const down = tf.reshape(tf.transpose(bank.down, [1, 0, 2]), [D, S * F]);
  const out = tf.matMul(tf.reshape(weighted, [-1, S * F]), down, false, true);
  return bank.downBias ? tf.add(out, tf.matMul(share, bank.downBias)) : out;
}
