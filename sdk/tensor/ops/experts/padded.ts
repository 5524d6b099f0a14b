import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { addRows } from "../add-rows.js";
import type { ExpertBank } from "../expert-bank.js";
import { takeRows } from "../take-rows.js";
import { hidden } from "./hidden.js";
import type { SlotTokens } from "./tokens-by-slot.js";

/** [S, C, D] x [S, D, F] and back, where C is the length of the longest queue. */
export function padded(x: Tensor, tokens: SlotTokens, gates: Tensor, bank: ExpertBank): Tensor {
  const [S, F, D] = bank.up.shape as [number, number, number];
  const C = Math.max(...tokens.map(({ rows }) => rows.length));
  const rows = new Int32Array(S * C);
  const pairs = new Int32Array(S * C);
  const targets = new Int32Array(S * C).fill(-1); // padding reads row 0 and is added nowhere
  tokens.forEach((slot, s) => {
    rows.set(slot.rows, s * C);
    pairs.set(slot.pairs, s * C);
    targets.set(slot.rows, s * C);
  });
  const input = tf.reshape(takeRows(x, tf.tensor1d(rows, "int32")), [S, C, D]);
  const computed = hidden((weight, bias) => {
    const product = tf.matMul(input, weight, false, true);
    return bias ? tf.add(product, tf.reshape(bias, [S, 1, F])) : product;
  }, bank);
  const product = tf.matMul(computed, bank.down, false, true);
  const out = bank.downBias ? tf.add(product, tf.reshape(bank.downBias, [S, 1, D])) : product;
  const gate = takeRows(tf.reshape(gates, [-1, 1]), tf.tensor1d(pairs, "int32"));
  return addRows(tf.mul(tf.reshape(out, [S * C, D]), gate), tf.tensor1d(targets, "int32"), x.shape[0]);
}
