import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { oneHot, stopGradient, tf, topK } from "../../tensor/index.js";
import { MASKED } from "../pass.js";
import type { RouterSpec } from "../router-spec.js";

/** Chosen router outputs [N, K] int32 and what each is worth [N, K], best first. */
export interface Choice {
  choice: Tensor;
  gates: Tensor;
}

/** of `maskBy: "released-product"` */
const RELEASED_FACTOR = -1e6;

/**
 * The K best router outputs of every token by the router's rule.
 *
 * @param choiceBias [E], takes part in the choice alone
 * @param mix [E, inputs], makes the scores that are chosen from out of those of the logits [N, inputs]
 */
export function choose(logits: Tensor2D, spec: RouterSpec, choiceBias?: Tensor, mix?: Tensor): Choice {
  if (mix) {
    return best(mixedScores(logits, spec, mix), spec, choiceBias,
      spec.masked?.length ? row(spec.masked, mix.shape[0], 0, MASKED) : undefined);
  }
  const hidden = spec.masked?.length && !spec.maskBy ? spec.masked : undefined;
  const closed = hidden && row(hidden, logits.shape[1], 0, MASKED);
  const open = closed
    ? tf.add(logits, closed)
    : spec.masked?.length
    ? tf.mul(logits, row(spec.masked, logits.shape[1], 1, RELEASED_FACTOR))
    : logits;
  switch (spec.kind) {
    case "softmax":
      return best(tf.softmax(open), spec, choiceBias, closed);
    case "sigmoid":
      return best(tf.sigmoid(open), spec, choiceBias, closed);
    case "chosen-softmax": {
      const { values, indices } = topK(open, spec.topK);
      return { choice: indices, gates: tf.softmax(values) };
    }
    case "sparsemixer":
      return sparsemixer(open, spec);
  }
}

/** What a router with `mix` chooses from [N, E]; may be negative. */
export function mixedScores(logits: Tensor2D, { kind }: RouterSpec, mix: Tensor): Tensor2D {
  return tf.matMul(kind === "sigmoid" ? tf.sigmoid(logits) : tf.softmax(logits), mix as Tensor2D, false, true);
}

function best(scores: Tensor, spec: RouterSpec, choiceBias?: Tensor, closed?: Tensor): Choice {
  const { groups } = spec;
  if (!choiceBias && !groups && !(spec.mix && closed)) {
    const { values, indices } = topK(scores, spec.topK);
    return { choice: indices, gates: values };
  }
  let rank = choiceBias ? tf.add(scores, choiceBias) : scores;
  if (groups) rank = inBestGroups(rank, groups);
  if (closed) rank = tf.add(rank, closed);
  const { indices } = topK(rank, spec.topK);
  return { choice: indices, gates: scoresAt(scores, indices) };
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

/**
 * SparseMixer at evaluation: one choice after the other, each out of what is left. A gate is the softmax over the
 * rivals whose logit is within 2 jitter of the best, relative to the larger of the two. arXiv:2409.12136.
 */
function sparsemixer(logits: Tensor, { topK: K, jitter = 0.01 }: RouterSpec): Choice {
  const E = logits.shape[1] as number;
  const choices: Tensor[] = [], gates: Tensor[] = [];
  let left = logits;
  for (let k = 0; k < K; k++) {
    const { values: top, indices } = topK(left, 1);
    // who is a rival is a decision without a gradient
    const distance = stopGradient(
      tf.div(tf.sub(top, logits), tf.maximum(tf.abs(logits), tf.mul(top, tf.onesLike(logits)))),
    );
    const rivals = tf.softmax(tf.add(left, tf.mul(tf.cast(tf.greater(distance, 2 * jitter), "float32"), MASKED)));
    const chosen = oneHot(tf.reshape(indices, [-1]), E);
    choices.push(indices);
    gates.push(tf.sum(tf.mul(rivals, chosen), -1, true));
    left = tf.add(left, tf.mul(chosen, MASKED));
  }
  return { choice: tf.concat(choices, 1), gates: tf.concat(gates, 1) };
}

/** scores [N, E] at the columns of choice [N, K]; a product with one-hot rows, so that gradients reach the scores */
function scoresAt(scores: Tensor, choice: Tensor): Tensor {
  const rows = oneHot(choice, scores.shape[1] as number);
  return tf.sum(tf.mul(rows, tf.expandDims(scores, 1)), -1);
}

/** [1, E] with another value at the masked outputs */
function row(masked: number[], E: number, value: number, at: number): Tensor {
  const values = new Float32Array(E).fill(value);
  for (const expert of masked) values[expert] = at;
  return tf.tensor2d(values, [1, E]);
}
