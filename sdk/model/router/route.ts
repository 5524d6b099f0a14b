import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { tf } from "../../tensor/index.js";
import type { Pass } from "../pass.js";
import type { RouterSpec } from "../router-spec.js";
import { choose } from "./gate.js";
import { capacities, within } from "./limit.js";

/**
 * What `skipBelow` grants to rounding, relative: a gate's share of the first is measured from gates that were
 * normalised, scaled and summed in other orders, and the token whose share *is* the threshold stays.
 */
const ROUNDING = 2 ** -18;

/** of `mix`: the smallest sum of gates that they are divided by */
const LEAST = 1e-6;

/** Choices [N, K] int32 (-1: none) and gates [N, K], which multiply the outputs of the chosen experts. */
export interface Routing {
  choice: Tensor2D;
  gates: Tensor2D;
}

/** Router outputs that cost next to nothing, and those of them that give nothing. */
export interface FreeOutputs {
  free: readonly number[];
  nothing: readonly number[];
}

/**
 * Chooses K experts for every token from raw logits [N, E] by the router's rule (see `RouterSpec`). Padding chooses
 * nothing; beyond the capacity of an expert, later tokens of a sequence choose nothing. Ties go to the lower index.
 *
 * @param weights of the layer: `router.choiceBias` [E], added to the scores for the choice alone, and `router.mix`
 */
export function route(
  logits: Tensor2D,
  spec: RouterSpec,
  pass: Pass,
  weights?: { get(name: string): Tensor | undefined },
  { free, nothing }: FreeOutputs = { free: [], nothing: [] },
): Routing {
  const mix = weights?.get("router.mix");
  let { choice, gates } = choose(spec.logitStd === undefined ? logits : scaledTo(logits, spec.logitStd), spec, pass,
    weights?.get("router.choiceBias"), mix);
  const keep = (kept: Tensor) => [choice, gates] = [drop(choice, kept), tf.mul(gates, tf.cast(kept, "float32"))];
  if (spec.skipBelow !== undefined) {
    const first = tf.slice(gates, [0, 0], [gates.shape[0] as number, 1]);
    keep(tf.cast(tf.greaterEqual(gates, tf.mul(first, spec.skipBelow * (1 - ROUNDING))), "int32"));
  }
  if (spec.normalize === "nonzero") gates = tf.mul(gates, gives(choice, nothing));
  if (spec.normalize) gates = normalized(gates, spec);
  if (spec.scale !== 1) gates = tf.mul(gates, spec.scale);
  if (pass.capacity && spec.capacity !== 0) {
    const [E, K] = [mix?.shape[0] ?? logits.shape[1], spec.topK];
    keep(within(choice, capacities(spec.capacity, { T: pass.T, K, E, free }), pass));
  }
  if (pass.real) keep(tf.tensor2d(Int32Array.from(pass.real), [pass.B * pass.T, 1], "int32"));
  return { choice: choice as Tensor2D, gates: gates as Tensor2D };
}

/** Gates over their sum; mixed ones may be negative, and where their sum is not positive nothing is left of them. */
function normalized(gates: Tensor, { mix, normalizeP }: RouterSpec): Tensor {
  const sum = length(gates, normalizeP ?? 1);
  const shares = tf.div(gates, tf.maximum(sum, mix ? LEAST : 1e-12));
  return mix ? tf.mul(shares, tf.cast(tf.greater(sum, LEAST), "float32")) : shares;
}

/** p-norm of each row of non-negative gates [N, 1] */
function length(gates: Tensor, p: number): Tensor {
  return p === 1 ? tf.sum(gates, -1, true) : tf.pow(tf.sum(tf.pow(gates, p), -1, true), 1 / p);
}

/** 0 where a choice [N, K] is one of these outputs, else 1 */
function gives(choice: Tensor, nothing: readonly number[]): Tensor {
  return nothing.reduce<Tensor>(
    (kept, output) => tf.mul(kept, tf.cast(tf.notEqual(choice, tf.scalar(output, "int32")), "float32")),
    tf.ones(choice.shape),
  );
}

/** Rows over their standard deviation, times this (unbiased, as torch has it). */
function scaledTo(logits: Tensor2D, deviation: number): Tensor2D {
  const centred = tf.sub(logits, tf.mean(logits, -1, true));
  const variance = tf.div(tf.sum(tf.square(centred), -1, true), logits.shape[1] - 1);
  return tf.mul(tf.div(logits, tf.sqrt(variance)), deviation) as Tensor2D;
}

/** -1 where kept is 0 */
function drop(choice: Tensor, kept: Tensor): Tensor {
  return tf.sub(tf.mul(tf.add(choice, tf.scalar(1, "int32")), kept), tf.scalar(1, "int32"));
}
