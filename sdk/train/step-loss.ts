import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import { flattenBatch, type TrainingBatch } from "../model/batch.js";
import type { MoeRecord } from "../model/pass.js";
import type { ModelSpec } from "../model/spec.js";
import type { Trainable } from "../model/trainable.js";
import { crossEntropy, tf } from "../tensor/index.js";
import { distillationLoss, type DistillationOptions } from "./distillation-loss.js";
import { consistencyLoss } from "./objectives/consistency.js";
import { type RouterLoss, routerLoss } from "./objectives/router-loss.js";
import { atStep } from "./over-steps.js";

/** What the loss of a step is made of. */
export interface LossOptions {
  /** weight of the load-balance loss, summed over MoE layers: short for `losses: [{ kind: "balance", weight }]` */
  balance?: number;
  /** weight of the router z-loss, summed over MoE layers */
  zLoss?: number;
  /** further losses of routers, each summed over the MoE layers */
  losses?: RouterLoss[];
  /** share of each label's probability that is spread over the other words, e.g. 0.1; default 0 */
  smoothing?: number;
  /**
   * weight of the distance between two passes with draws of their own, whose losses are added (THOR,
   * arXiv:2110.04260); default: one pass
   */
  consistency?: number;
  /** "example": every sequence has weight 1/B whatever its length; "token" (default): every asked token the same */
  weighting?: "token" | "example";
}

/** Everything that the loss of one step depends on. */
export interface StepLoss extends LossOptions {
  step: number;
  steps: number;
  /** the architecture of this step */
  spec: ModelSpec;
  teacher?: Tensor;
  distill?: { alpha: number; countPadding?: boolean } & DistillationOptions;
  /** draws of this step follow from it */
  seed: string;
  /** sees the routing of each layer */
  onMoe?(record: MoeRecord): void;
  /** the share of the step's loss that these rows are: weights of labels sum to it; default 1 */
  share?: number;
}

/** The loss of a batch, a scalar in nats. */
export function stepLoss(model: Trainable, batch: TrainingBatch, options: StepLoss): Scalar {
  const { steps, step, share = 1, consistency, distill, teacher } = options;
  const sides = flattenBatch(batch, options.spec);
  const losses: RouterLoss[] = [...(options.balance ? [{ kind: "balance" as const, weight: options.balance }] : []),
    ...(options.zLoss ? [{ kind: "z" as const, weight: options.zLoss }] : []), ...(options.losses ?? [])];
  const weights = tf.tensor1d(labelWeights(batch.labels, options.weighting ?? "token"));
  const labels = batch.labels.flat();
  const pass = (seed: string): { logits: Tensor; loss: Tensor } => {
    const records: MoeRecord[] = [];
    const watches = losses.length > 0 || options.onMoe;
    const see = (record: MoeRecord) => (records.push(record), options.onMoe?.(record));
    const logits = model.logits(sides, watches ? see : undefined, { spec: options.spec, seed });
    let loss: Tensor = tf.sum(tf.mul(rowLosses(logits, labels, options.smoothing), weights));
    for (const record of records) {
      for (const each of losses) {
        const weight = atStep(each.weight, step, steps);
        if (weight !== 0) loss = tf.add(loss, tf.mul(routerLoss(record, each), weight));
      }
    }
    return { logits, loss };
  };
  const first = pass(options.seed);
  let loss = first.loss;
  if (consistency) {
    const second = pass(`${options.seed} again`);
    loss = tf.add(tf.add(loss, second.loss),
      tf.mul(consistencyLoss(first.logits, second.logits, weights), consistency));
  }
  if (teacher && distill) {
    const counts = tf.tensor1d(labels.map((label) => (label >= 0 || distill.countPadding ? 1 : 0)));
    loss = tf.add(loss,
      tf.mul(distillationLoss(first.logits, teacher, counts, batch.labels.length, distill), distill.alpha));
  }
  return (share === 1 ? loss : tf.mul(loss, share)) as Scalar;
}

/** Cross-entropy of each row [N]; smoothed as fairseq does it, the share spread over all words but the label. */
function rowLosses(logits: Tensor, labels: number[], smoothing = 0): Tensor {
  const rows = crossEntropy(logits as never, tf.tensor1d(Int32Array.from(labels), "int32"));
  if (smoothing === 0) return rows;
  const V = logits.shape[1] as number, spread = smoothing / (V - 1);
  const asked = tf.tensor1d(labels.map((label) => Number(label >= 0)));
  const all = tf.mul(tf.neg(tf.sum(tf.logSoftmax(logits as never), -1)), asked);
  return tf.add(tf.mul(rows, 1 - smoothing - spread), tf.mul(all, spread));
}

/** Weight of each position; they sum to 1. */
function labelWeights(labels: number[][], weighting: "token" | "example"): Float32Array {
  const T = labels[0].length;
  const weights = new Float32Array(labels.length * T);
  const asked = labels.map((row) => row.reduce((sum, label) => sum + (label >= 0 ? 1 : 0), 0));
  const total = asked.reduce((sum, count) => sum + count, 0);
  labels.forEach((row, b) =>
    row.forEach((label, t) => {
      if (label >= 0) weights[b * T + t] = weighting === "token" ? 1 / total : 1 / (labels.length * asked[b]);
    })
  );
  return weights;
}
