import type { Scalar, Tensor, Variable } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import type { TrainingBatch } from "../model/batch.js";
import { flattenBatch } from "../model/batch.js";
import type { MoeRecord } from "../model/pass.js";
import type { LayerId } from "../model/spec.js";
import type { Trainable } from "../model/trainable.js";
import { adamW, crossEntropy, ready, tf } from "../tensor/index.js";
import { distillationLoss, type DistillationOptions } from "./distillation-loss.js";
import { balanceLoss, routerZLoss } from "./router-losses.js";
import { schedule, type ScheduleName } from "./schedule.js";
import type { TrainingPruning } from "./training-pruning.js";
import { KeptTraining, type TrainingState } from "./training-state.js";

export interface TrainOptions {
  steps: number;
  /** the batch of step 1, 2, …; a function of the step alone, so that a resumed run sees the same data */
  batch(step: number): TrainingBatch | Promise<TrainingBatch>;
  /** highest learning rate */
  lr: number;
  schedule?: ScheduleName;
  warmup?: number;
  beta1?: number;
  beta2?: number;
  eps?: number;
  /** decoupled weight decay, on matrices only (gains and biases are left out) */
  decay?: number;
  /** largest norm of all gradients together; default no limit */
  clip?: number;
  /** weight of the load-balance loss, summed over MoE layers */
  balance?: number;
  /** weight of the router z-loss, summed over MoE layers */
  zLoss?: number;
  /** "example": every sequence has weight 1/B whatever its length; "token" (default): every asked token the same */
  weighting?: "token" | "example";
  /** variables that stay as they are, by name, e.g. (name) => name.endsWith(".router") */
  frozen?(name: string): boolean;
  /** adds `alpha` times the distance to these logits [N, V] of the teacher for the batch of a step */
  distill?: { alpha: number;
    teacher(
      step: number,
      batch: TrainingBatch,
    ): Promise<Tensor>; /** padding positions count too, as in the paper's code; default false */
    countPadding?: boolean } & DistillationOptions;
  /** takes weights or experts away after each optimiser step: `RowPruning`, `EagerPruning` */
  pruning?: TrainingPruning;
  /** after every optimiser step */
  onStep?(report: StepReport): void | Promise<void>;
  /**
   * Folder that receives the state every so many steps, and that the same run goes on from. What else lies there stays.
   * `key` is, as JSON would have it, what the functions of these options depend on: data, seed, teacher. All other
   * options and the weights at the start count as well.
   */
  state?: { folder: string; every: number; key: unknown };
  signal?: AbortSignal;
}

export interface StepReport {
  step: number;
  steps: number;
  loss: number;
  lr: number;
  timeMs: number;
  tokens: number;
}

/** Loss of each step, resumed ones included. */
export interface TrainResult {
  losses: number[];
  steps: number;
  timeMs: number;
}

/**
 * Trains in place with AdamW. The same seed of data and weights on the same back end gives the same losses,
 * interrupted or not.
 *
 * @throws MoeError `aborted` (the state of the last save stays), `diverged` when the loss is not a number,
 *   `state-of-another-run`, `being-written`, `cannot-write`; FormatError `bad-state`
 */
export async function train(model: Trainable, options: TrainOptions): Promise<TrainResult> {
  await ready();
  const { steps, lr, beta1 = 0.9, beta2 = 0.98, eps = 1e-6, decay = 0.01, warmup = 0, signal } = options;
  const rate = schedule(options.schedule ?? "linear", steps, warmup);
  const trained = model.variables().filter(({ name }) => !model.isFrozen(name) && !options.frozen?.(name));
  const params = trained.map(({ variable }) => variable);
  const decays = trained.map(({ variable }) => (variable.rank >= 2 ? decay : 0));
  const zeros = () =>
    params.map((param) => tf.tidy(() => tf.variable(tf.zerosLike(param) as never, false) as Variable));
  const state: TrainingState = { step: 0, losses: [], timeMs: 0, names: trained.map(({ name }) => name), params,
    first: zeros(), second: zeros(), pruning: options.pruning };
  let kept: KeptTraining | undefined;
  try {
    if (options.state) kept = await KeptTraining.open(options.state.folder, state, keyOf(model, options));
    while (state.step < steps) {
      if (signal?.aborted)
        throw new MoeError("aborted", `train: stopped after step ${state.step} of ${steps} at the caller's request.`);
      const started = performance.now();
      const step = state.step + 1;
      const batch = await options.batch(step);
      const teacher = await options.distill?.teacher(step, batch);
      const choices = new Map() as Choices;
      const read: Record<string, Tensor> = {};
      const loss = tf.tidy(() => {
        const { value, grads } = tf.variableGrads(() => lossOf(model, batch, teacher, options, choices), params);
        for (const { name, variable } of trained)
          if (options.pruning?.reads(name))
            read[name] = tf.keep(tf.clone(grads[variable.name] ?? tf.zerosLike(variable)));
        adamW(params, params.map((param) => grads[param.name] ?? null), state.first, state.second, step, {
          lr: lr * rate(step),
          beta1,
          beta2,
          eps,
          decay: decays,
          clip: options.clip,
        });
        return value;
      });
      teacher?.dispose();
      const [value] = await loss.data();
      loss.dispose();
      if (!Number.isFinite(value))
        throw new MoeError("diverged",
          `train: the loss is ${value} at step ${step}; lower the learning rate (${lr}) or clip the gradients.`);
      if (options.pruning)
        await prune(options.pruning, step, trained, read, choices);
      state.step = step;
      state.losses.push(value);
      state.timeMs += performance.now() - started;
      await options.onStep?.({ step, steps, loss: value, lr: lr * rate(step), timeMs: performance.now() - started,
        tokens: tokensOf(batch) });
      if (kept && (step % options.state!.every === 0 || step === steps)) await kept.save();
    }
    return { losses: state.losses, steps, timeMs: state.timeMs };
  } finally {
    tf.dispose([state.first, state.second] as never);
    await kept?.close();
  }
}

/** All that a run depends on besides its weights: functions are not in JSON, so the caller's key stands for them. */
function keyOf({ spec }: Trainable, { state, signal: _, pruning: __, ...options }: TrainOptions): unknown {
  return [state!.key, options, spec];
}

/** What the routers of a step chose, padding left out: [N, K], -1 for none. */
type Choices = Map<LayerId, { choice: Tensor; experts: number }>;

/** Shows a step to the pruner; takes the gradients and choices. */
async function prune(
  pruning: TrainingPruning,
  step: number,
  trained: { name: string; variable: Variable }[],
  gradients: Record<string, Tensor>,
  choices: Choices,
): Promise<void> {
  const counts: Record<LayerId, number[]> = {};
  for (const [layer, { choice, experts }] of choices) {
    counts[layer] = new Array<number>(experts).fill(0);
    for (const expert of await choice.data()) if (expert >= 0) counts[layer][expert] += 1;
  }
  const variables = Object.fromEntries(
    trained.filter(({ name }) => gradients[name]).map(
      ({ name, variable }) => [name, { weight: variable, gradient: gradients[name] }]
    ),
  );
  await pruning.after(step, { variables, counts });
  tf.dispose([...Object.values(gradients), ...[...choices.values()].map(({ choice }) => choice)]);
}

function lossOf(
  model: Trainable,
  batch: TrainingBatch,
  teacher: Tensor | undefined,
  options: TrainOptions,
  choices: Choices,
): Scalar {
  const sides = flattenBatch(batch, model.spec);
  const records: MoeRecord[] = [];
  const watch = options.balance || options.zLoss || options.pruning?.countsChoices
    ? (record: MoeRecord) => {
      records.push(record);
      if (options.pruning?.countsChoices) choices.set(record.layer, { choice: tf.keep(tf.clone(record.choice)),
          experts: record.spec.experts });
    }
    : undefined;
  const logits = model.logits(sides, watch);
  const weights = tf.tensor1d(labelWeights(batch.labels, options.weighting ?? "token"));
  const rows = crossEntropy(logits as never, tf.tensor1d(Int32Array.from(batch.labels.flat()), "int32"));
  let loss: Tensor = tf.sum(tf.mul(rows, weights));
  for (const record of records) {
    if (options.balance) loss = tf.add(loss, tf.mul(balanceLoss(record), options.balance));
    if (options.zLoss) loss = tf.add(loss, tf.mul(routerZLoss(record), options.zLoss));
  }
  if (teacher && options.distill) {
    const counts = tf.tensor1d(
      batch.labels.flat().map((label) => (label >= 0 || options.distill!.countPadding ? 1 : 0)),
    );
    loss = tf.add(loss,
      tf.mul(distillationLoss(logits, teacher, counts, batch.labels.length, options.distill), options.distill.alpha));
  }
  return loss as Scalar;
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

function tokensOf(batch: TrainingBatch): number {
  const real = batch.mask
    ? batch.mask.flat().reduce((sum, one) => sum + one, 0)
    : batch.ids.length * batch.ids[0].length;
  return real + (batch.decoderIds ? batch.labels.flat().filter((label) => label >= 0).length : 0);
}
