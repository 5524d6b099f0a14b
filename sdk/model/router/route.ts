import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { oneHot, tf } from "../../tensor/index.js";
import type { Pass } from "../pass.js";
import type { RouterSpec } from "../router-spec.js";
import { choose } from "./scores.js";

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
): Routing {
  let { choice, gates } = choose(logits, spec, weights?.get("router.choiceBias"), weights?.get("router.mix"));
  if (spec.skipBelow !== undefined) {
    const first = tf.slice(gates, [0, 0], [gates.shape[0] as number, 1]);
    const worth = tf.cast(tf.greaterEqual(gates, tf.mul(first, spec.skipBelow * (1 - ROUNDING))), "int32");
    [choice, gates] = [drop(choice, worth), tf.mul(gates, tf.cast(worth, "float32"))];
  }
  if (spec.normalize) gates = normalized(gates, spec);
  if (spec.scale !== 1) gates = tf.mul(gates, spec.scale);
  if (pass.capacity && spec.capacity > 0)
    [choice, gates] = limit(choice, gates, weights?.get("router.mix")?.shape[0] ?? logits.shape[1], spec.capacity,
      pass);
  if (pass.real) {
    const real = tf.tensor2d(Int32Array.from(pass.real), [pass.B * pass.T, 1], "int32");
    choice = drop(choice, real);
    gates = tf.mul(gates, tf.cast(real, "float32"));
  }
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

/**
 * Position of each token in its expert's queue, per sequence; beyond the capacity the token is dropped (Switch, section
 * 2.2).
 */
function limit(choice: Tensor, gates: Tensor, E: number, capacity: number, { B, T }: Pass): [Tensor, Tensor] {
  const K = choice.shape[1] as number;
  const chosen = tf.reshape(oneHot(choice, E), [B, T * K, E]);
  const place = tf.sum(tf.mul(tf.cumsum(chosen, 1), chosen), -1);
  const kept = tf.reshape(tf.cast(tf.lessEqual(place, capacity), "int32"), [B * T, K]);
  return [drop(choice, kept), tf.mul(gates, tf.cast(kept, "float32"))];
}

/** -1 where kept is 0 */
function drop(choice: Tensor, kept: Tensor): Tensor {
  return tf.sub(tf.mul(tf.add(choice, tf.scalar(1, "int32")), kept), tf.scalar(1, "int32"));
}
