import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "@tensorflow/tfjs";
import type { Activation } from "../../model/spec.js";
import { fused } from "../fused.js";
import { activate } from "./activate.js";
import { addRows } from "./add-rows.js";
import { oneHot } from "./one-hot.js";
import { takeRows } from "./take-rows.js";

/** The experts of a layer that have one width, stacked: S slots, F expert width, D model width. */
export interface ExpertBank {
  /** [S, F, D] */
  up: Tensor;
  /** [S, F, D] of a gated expert */
  gate?: Tensor;
  /** [S, D, F] */
  down: Tensor;
  /** [S, F], [S, F], [S, D] */
  upBias?: Tensor;
  gateBias?: Tensor;
  downBias?: Tensor;
  activation: Activation;
}

export type ExpertsMode = "masked" | "padded" | "loop";

export interface ExpertsOptions {
  /**
   * - `auto` (default): the cheapest for the shape, see `chooseMode`
   * - `masked`: every expert computes every token in two products, gates of 0 remove what was not chosen
   * - `padded`: each expert's tokens are gathered into a row of equal length; batched products over all experts
   * - `loop`: one expert at a time
   */
  mode?: "auto" | ExpertsMode;
}

/**
 * Sends each token through its chosen experts and adds up their outputs, weighted by the gates.
 * Gradients reach x, the gates and the bank; an expert without tokens has a gradient of zeros.
 * The three modes give the same result within rounding.
 *
 * @param x [N, D]
 * @param choice int32 [N, K], slot of the bank, or -1: no expert
 * @param gates [N, K]
 * @returns [N, D]
 */
export function experts(x: Tensor, choice: Tensor, gates: Tensor, bank: ExpertBank, { mode = "auto" }: ExpertsOptions = {}): Tensor {
  return tf.tidy(() => {
    if (mode === "auto" && fused.experts) return fused.experts(x, choice, gates, bank);
    const chosen = mode === "auto" ? chooseMode(x.shape[0], choice.shape[1]!, bank.up.shape as [number, number, number]) : mode;
    if (chosen === "masked") return masked(x, choice, gates, bank);
    const tokens = tokensBySlot(choice, bank.up.shape[0]);
    // no token at all: masked gives zeros and zero gradients
    if (tokens.every(({ rows }) => rows.length === 0)) return masked(x, choice, gates, bank);
    const flatGates = tf.reshape(gates, [-1, 1]);
    return chosen === "padded" ? padded(x, tokens, flatGates, bank) : loop(x, tokens, flatGates, bank);
  });
}

/** masked computes S / K times the products of the others, in fewer and larger operations */
export function chooseMode(N: number, K: number, [S, F, D]: [number, number, number]): ExpertsMode {
  if (tf.getBackend() === "webgpu") return "masked";
  const wasted = N * (S - K) * F * D;
  return wasted < 2e6 * S ? "masked" : "loop";
}

function masked(x: Tensor, choice: Tensor, gates: Tensor, bank: ExpertBank): Tensor {
  const [S, F, D] = bank.up.shape as [number, number, number];
  const share = tf.sum(tf.mul(oneHot(choice, S), tf.expandDims(gates, -1)), 1); // [N, S]
  const into = (weight: Tensor, bias?: Tensor) => {
    const product = tf.matMul(x, tf.reshape(weight, [S * F, D]), false, true);
    return bias ? tf.add(product, tf.reshape(bias, [S * F])) : product;
  };
  const hidden = tf.reshape(gatedHidden(into, bank), [-1, S, F]);
  const weighted = tf.reshape(tf.mul(hidden, tf.expandDims(share, -1)), [-1, S * F]);
  const out = tf.matMul(weighted, tf.reshape(tf.transpose(bank.down, [1, 0, 2]), [D, S * F]), false, true);
  return bank.downBias ? tf.add(out, tf.matMul(share, bank.downBias)) : out;
}

function padded(x: Tensor, tokens: SlotTokens, gates: Tensor, bank: ExpertBank): Tensor {
  const [S, F, D] = bank.up.shape as [number, number, number];
  const length = Math.max(1, ...tokens.map(({ rows }) => rows.length));
  const rows = new Int32Array(S * length);
  const pairs = new Int32Array(S * length);
  const ids = new Int32Array(S * length).fill(-1); // padding reads row 0 and is added nowhere
  tokens.forEach((slot, s) => {
    rows.set(slot.rows, s * length);
    pairs.set(slot.pairs, s * length);
    ids.set(slot.rows, s * length);
  });
  const input = tf.reshape(takeRows(x, tf.tensor1d(rows, "int32")), [S, length, D]);
  const into = (weight: Tensor, bias?: Tensor) => {
    const product = tf.matMul(input, weight, false, true);
    return bias ? tf.add(product, tf.reshape(bias, [S, 1, F])) : product;
  };
  let out = tf.matMul(gatedHidden(into, bank), bank.down, false, true);
  if (bank.downBias) out = tf.add(out, tf.reshape(bank.downBias, [S, 1, D]));
  const weighted = tf.mul(tf.reshape(out, [S * length, D]), takeRows(gates, tf.tensor1d(pairs, "int32")));
  return addRows(weighted, tf.tensor1d(ids, "int32"), x.shape[0]);
}

function loop(x: Tensor, tokens: SlotTokens, gates: Tensor, bank: ExpertBank): Tensor {
  const unstacked = (stack?: Tensor) => (stack ? tf.unstack(stack) : []);
  const [ups, gateWeights, downs] = [unstacked(bank.up), unstacked(bank.gate), unstacked(bank.down)];
  const [upBiases, gateBiases, downBiases] = [unstacked(bank.upBias), unstacked(bank.gateBias), unstacked(bank.downBias)];
  const used = tokens.map((_, s) => s).filter((s) => tokens[s].rows.length > 0);
  const outputs = used.map((s) => {
    const input = takeRows(x, tf.tensor1d(tokens[s].rows, "int32"));
    const into = (weight: Tensor, bias?: Tensor) => {
      const product = tf.matMul(input, weight, false, true);
      return bias ? tf.add(product, bias) : product;
    };
    const one = { ...bank, up: ups[s], gate: gateWeights[s], upBias: upBiases[s], gateBias: gateBiases[s] };
    const out = tf.matMul(gatedHidden(into, one), downs[s], false, true);
    return tf.mul(bank.downBias ? tf.add(out, downBiases[s]) : out, takeRows(gates, tf.tensor1d(tokens[s].pairs, "int32")));
  });
  const ids = Int32Array.from(used.flatMap((s) => [...tokens[s].rows]));
  return addRows(tf.concat(outputs, 0), tf.tensor1d(ids, "int32"), x.shape[0]);
}

/** activation(x up^T), times activation(x gate^T) instead where the expert is gated: act(gate) * up */
function gatedHidden(into: (weight: Tensor, bias?: Tensor) => Tensor, bank: ExpertBank): Tensor {
  const up = into(bank.up, bank.upBias);
  if (!bank.gate) return activate(up, bank.activation);
  return tf.mul(activate(into(bank.gate, bank.gateBias), bank.activation), up);
}

/** for each slot, the rows of x that it computes and their places in the flattened choice */
type SlotTokens = { rows: Int32Array; pairs: Int32Array }[];

function tokensBySlot(choice: Tensor, slots: number): SlotTokens {
  const K = choice.shape[1]!;
  const flat = choice.dataSync();
  const pairs: number[][] = Array.from({ length: slots }, () => []);
  flat.forEach((slot, pair) => { if (slot >= 0) pairs[slot].push(pair); });
  return pairs.map((list) => ({ pairs: Int32Array.from(list), rows: Int32Array.from(list, (pair) => Math.floor(pair / K)) }));
}
