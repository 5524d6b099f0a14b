import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { type ExpertBank, experts, oneHot, tf } from "../../tensor/index.js";
import type { LayerWeights } from "../held-weights.js";
import { linear } from "../linear.js";
import type { Pass } from "../pass.js";
import { route, type Routing } from "../router/route.js";
import type { MoeFfnSpec } from "../spec.js";

/**
 * One choice for all tokens of a sequence, made from the mean of their inputs, padding left out: the gate of MEO,
 * arXiv:2310.09832. Logits, choices and gates are repeated for every token [N, …].
 */
export function routeSequences(x: Tensor, spec: MoeFfnSpec, weights: LayerWeights, { B, T, real }: Pass): Routing & {
  logits: Tensor2D;
} {
  const D = x.shape[1] as number;
  const counted = real ? tf.tensor3d(Float32Array.from(real), [B, T, 1]) : tf.ones([B, T, 1]);
  const mean = tf.div(tf.sum(tf.mul(tf.reshape(x, [B, T, D]), counted), 1), tf.maximum(tf.sum(counted, 1), 1));
  const logits = linear(mean, weights, "router") as Tensor2D;
  const { choice, gates } = route(logits, spec.router, { B, T: 1, offset: 0, capacity: false }, weights);
  const everyToken = (rows: Tensor) =>
    tf.reshape(tf.tile(tf.expandDims(rows, 1), [1, T, 1]), [B * T, rows.shape[1]!]) as Tensor2D;
  const all = { logits: everyToken(logits), choice: everyToken(choice), gates: everyToken(gates) };
  if (!real) return all;
  const mask = tf.reshape(counted, [B * T, 1]);
  return { ...all,
    choice: tf.cast(tf.sub(tf.mul(tf.add(tf.cast(all.choice, "float32"), 1), mask), 1), "int32") as Tensor2D,
    gates: tf.mul(all.gates, mask) as Tensor2D };
}

/**
 * Runs every sequence through one expert, made for it from the chosen ones: `W = sum_i g_i W_i / sum_i g_i`, its output
 * times the sum of the gates. Exact for linear experts; with an activation between two matrices it is
 * another function of about one expert's cost.
 *
 * @param place int32 [N, K] places in the bank, the same for all tokens of a sequence, -1 for padding
 */
export function runMerged(x: Tensor, place: Tensor2D, gates: Tensor2D, bank: ExpertBank, { B, T }: Pass): Tensor {
  const [S, K] = [bank.up.shape[0], place.shape[1]];
  // the first token of a sequence is never padding
  const first = (rows: Tensor) => tf.reshape(tf.slice(tf.reshape(rows, [B, T, K]), [0, 0, 0], [B, 1, K]), [B, K]);
  const chosen = first(gates);
  const mass = tf.maximum(tf.sum(chosen, -1, true), 1e-12);
  // [B, S]
  const mixing = tf.sum(tf.mul(oneHot(first(place), S), tf.expandDims(tf.div(chosen, mass), -1)), 1);
  const merged = (stack: Tensor | undefined): Tensor | undefined =>
    stack
    && tf.reshape(tf.matMul(mixing as Tensor2D, tf.reshape(stack, [S, -1]) as Tensor2D), [B, ...stack.shape.slice(1)]);
  const own: ExpertBank = { ...bank, up: merged(bank.up)!, gate: merged(bank.gate), down: merged(bank.down)!,
    upBias: merged(bank.upBias), gateBias: merged(bank.gateBias), downBias: merged(bank.downBias) };
  const sequence = tf.tensor2d(Int32Array.from({ length: B * T }, (_, row) => Math.floor(row / T)), [B * T, 1],
    "int32");
  return experts(x as Tensor2D, sequence, tf.sum(gates, -1, true) as Tensor2D, own);
}
