import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { oneHot, tf, topK } from "../../tensor/index.js";
import { MASKED, type Pass } from "../pass.js";
import type { RouterSpec } from "../router-spec.js";
import { oneByOne } from "./choose/one-by-one.js";
import { pick } from "./choose/pick.js";
import type { Choice } from "./chosen.js";

/** of `maskBy: "released-product"` */
const RELEASED_FACTOR = -1e6;

/**
 * The router outputs that every token takes, and their gates before these are normalised.
 *
 * @param choiceBias [E], takes part in the choice alone
 * @param mix [E, inputs], makes the scores that are chosen from out of those of the logits [N, inputs]
 */
export function choose(logits: Tensor2D, spec: RouterSpec, pass: Pass, choiceBias?: Tensor, mix?: Tensor): Choice {
  const { masked = [], kind } = spec;
  const E = mix?.shape[0] ?? logits.shape[1];
  const closed = masked.length && !spec.maskBy ? row(masked, E, 0, MASKED) : undefined;
  if (mix) return chosen(mixedScores(logits, spec, mix), spec, pass, choiceBias, closed);
  const open = closed
    ? tf.add(logits, closed)
    : masked.length
    ? tf.mul(logits, row(masked, E, 1, RELEASED_FACTOR))
    : logits;
  if (kind === "sparsemixer") return oneByOne(open, spec);
  if (kind === "softmax") return chosen(tf.softmax(open), spec, pass, choiceBias, closed);
  if (kind === "relu") return chosen(tf.relu(open), spec, pass, choiceBias, closed);
  const byLogit = kind !== "sigmoid" || !choiceBias && !spec.groups && (spec.choose?.kind ?? "top") === "top";
  if (!byLogit) return chosen(tf.sigmoid(open), spec, pass, choiceBias, closed);
  // by the logits, which a sigmoid in float32 would make equal
  const { choice, values } = pick(open, spec, pass);
  const there = tf.cast(tf.greaterEqual(choice, 0), "float32");
  if (kind === "one") return { choice, gates: there };
  if (kind === "sigmoid") return { choice, gates: tf.mul(tf.sigmoid(values), there) };
  const none = (spec.choose?.kind ?? "top") === "top" ? values : tf.add(values, tf.mul(tf.sub(1, there), MASKED));
  return { choice, gates: tf.mul(tf.softmax(none), there) };
}

/** What a router with `mix` chooses from [N, E]; may be negative. */
export function mixedScores(logits: Tensor2D, { kind }: RouterSpec, mix: Tensor): Tensor2D {
  return tf.matMul(kind === "sigmoid" ? tf.sigmoid(logits) : tf.softmax(logits), mix as Tensor2D, false, true);
}

/** By scores that are the gates too, unless a bias, groups or closed outputs change the order. */
function chosen(scores: Tensor, spec: RouterSpec, pass: Pass, choiceBias?: Tensor, closed?: Tensor): Choice {
  const { groups } = spec;
  if (!choiceBias && !groups && !(spec.mix && closed)) {
    const { choice, values } = pick(scores, spec, pass);
    return { choice, gates: values };
  }
  let rank = choiceBias ? tf.add(scores, choiceBias) : scores;
  if (groups) rank = inBestGroups(rank, groups);
  if (closed) rank = tf.add(rank, closed);
  const { choice } = pick(rank, spec, pass);
  return { choice, gates: scoresAt(scores, choice) };
}

/**
 * Scores outside the best groups of a token are hidden. DeepSeek-V2, section 2.1.2; DeepSeek-V3 ranks by the two best.
 */
function inBestGroups(rank: Tensor, { count, keep, rank: by }: NonNullable<RouterSpec["groups"]>): Tensor {
  const [N, E] = rank.shape as [number, number];
  const inGroups = tf.reshape(rank, [N * count, E / count]);
  const worth = tf.reshape(tf.sum(topK(inGroups, by === "best" ? 1 : Math.min(2, E / count)).values, -1), [N, count]);
  const kept = tf.sum(oneHot(topK(worth, keep).indices, count), 1); // [N, groups], 1 for the best
  const hidden = tf.mul(tf.sub(1, kept), MASKED);
  return tf.add(rank, tf.reshape(tf.tile(tf.expandDims(hidden, 2), [1, 1, E / count]), [N, E]));
}

/** scores [N, E] at the columns of choice [N, K]; a product with one-hot rows, so that gradients reach the scores */
function scoresAt(scores: Tensor, choice: Tensor): Tensor {
  const rows = oneHot(choice, scores.shape[1] as number);
  return tf.sum(tf.mul(rows, tf.expandDims(scores, 1)), -1);
}

/** [1, E] with another value at the masked outputs */
function row(masked: readonly number[], E: number, value: number, at: number): Tensor {
  const values = new Float32Array(E).fill(value);
  for (const expert of masked) values[expert] = at;
  return tf.tensor2d(values, [1, E]);
}
