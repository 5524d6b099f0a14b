import type { Tensor } from "@tensorflow/tfjs-core";
import { FixedRows } from "../compress/fixed-rows.js";
import { RowPruning } from "../compress/row-pruning.js";
import { wholeRemainderPlan } from "../compress/whole-remainder-plan.js";
import { MoeError } from "../errors.js";
import type { TaskBatch } from "../evaluate/index.js";
import { type TrainingBatch } from "../model/batch.js";
import { withSettledForms } from "../model/form/formed-matrices.js";
import { Model } from "../model/model.js";
import { type SpecAndWeights } from "../model/spec-and-weights.js";
import { Trainable } from "../model/trainable.js";
import { applyPlan } from "../plan/apply.js";
import type { Plan } from "../plan/plan.js";
import { EagerPruning, type EagerPruningOptions } from "../prune/eager-pruning.js";
import { effectiveExperts } from "../statistics/effective-experts.js";
import { Rng, tf } from "../tensor/index.js";
import { checkTraining } from "../train/check-options.js";
import { collapsedLayers, sharesOf } from "../train/collapse.js";
import type { DistillationOptions } from "../train/distillation-loss.js";
import { clusterDropout, type ClusterDropoutOptions } from "../train/rules/cluster-dropout.js";
import { risingK, type RisingKOptions } from "../train/rules/rising-k.js";
import { type LossOptions, stepLoss } from "../train/step-loss.js";
import { train, type TrainOptions } from "../train/train.js";
import { kernelHost } from "../view/displayable.js";
import { progress } from "../view/progress.js";
import { measureStage } from "./measure-stage.js";
import type { StudyState } from "./study-state.js";
import { type DataOptions, type NamedBatches, taskData } from "./task-data.js";

export interface TuneOptions
  extends DataOptions, DistillationOptions,
    Pick<TrainOptions, "schedule" | "beta1" | "beta2" | "eps" | "decay" | "clip" | "accumulate" | keyof LossOptions> {
  /** optimiser steps */
  steps?: number;
  /** highest learning rate */
  lr?: number;
  /** default a tenth of the steps, at most 16 */
  warmup?: number;
  /** sequences of a step; default 32 */
  batch?: number;
  /** weight of the distance to the model as loaded; 0 for none */
  alpha?: number;
  /** positions of padding count in the distance too, as in the code of arXiv:2310.01334; default false */
  countPadding?: boolean;
  /** experts per token at the first and at the last step (SMoE-Dropout, arXiv:2303.01610) */
  risingK?: RisingKOptions;
  /** experts that take no part for some steps, drawn inside clusters (MoEC, arXiv:2207.09094) */
  clusterDropout?: ClusterDropoutOptions;
  /**
   * measures the loss on items of the development part every so many steps; training ends early when it has not fallen
   * for `patience` measurements (default never). `items` default 64
   */
  validate?: { every: number; patience?: number; items?: number };
  /** train the routers too */
  routers?: boolean;
  /** drop experts on the way, the least used first: task-specific expert pruning, arXiv:2206.00277 */
  prune?: Omit<EagerPruningOptions, "steps">;
  /**
   * What becomes of the remainders of a model that was compressed to low rank + sparse: by default training starts from
   * whole
   * ones and drops rows by importance down to the share that the plan names (section 3.3 of arXiv:2310.01334), none
   * before
   * `start` steps (default 4 %) and the last `settle` steps (default 16 %) at the final share. false: the rows stay as
   * they are.
   */
  sparsify?: { start?: number; settle?: number; beta?: number } | false;
  /** keep the state in this folder and go on from it; whatever else lies there stays as it is */
  state?: string;
  signal?: AbortSignal;
}

/** The model of a study after further training; what `.train` and `.distill` share. */
export async function tuned(
  study: StudyState,
  stage: string,
  options: TuneOptions & { steps: number; lr: number; alpha: number; routers: boolean },
): Promise<StudyState> {
  const took = measureStage();
  checkTraining(stage, options);
  const { steps, lr, alpha, routers, batch: size = 32, warmup = Math.min(16, Math.floor(steps / 10)),
    signal = kernelHost()?.signal, data: _, ...shown } = options;
  const { groups, fingerprint } = await taskData(study.opened, "train", { ...options,
    items: options.items ?? steps * size }, stage);
  const pool = groups.flatMap((group) => (options.data ? group.batches : filled(group, size, stage)));
  const warnings = seenOften(pool, steps, stage);
  const rng = new Rng(`${stage} ${options.seed ?? 0}`);
  const order = Array.from({ length: steps }, () => rng.int(pool.length));

  const whole = options.sparsify !== false && study.before ? wholeRemainderPlan(study.plan) : undefined;
  if (whole && options.prune)
    throw new MoeError("two-prunings",
      `${stage}: rows of remainders and whole experts cannot go in the same training. Say { sparsify: `
        + "false }, or train twice.");
  const begin: SpecAndWeights = whole
    ? await applyPlan(study.before!, whole.plan, { tensors: study.tensors, sources: study.sources })
    : study.model;
  const trainable = await Trainable.from(structuredClone(begin.spec), begin.weights);
  const rows = whole
    ? new RowPruning({ steps, keep: whole.keep, start: Math.round(0.04 * steps), settle: Math.round(0.16 * steps),
      ...options.sparsify })
    : FixedRows.of(trainable);
  const bar = progress({ label: `${stage} ${study.model.id}`, total: steps, unit: "steps", signal });
  try {
    let collapsed: string[] = [];
    const experts = options.prune && new EagerPruning(trainable.spec, { ...options.prune, steps });
    const teacher = alpha > 0 && options.state ? await study.original.weights.fingerprint() : undefined;
    const result = await train(trainable, {
      ...shown,
      steps,
      lr,
      warmup,
      signal,
      weighting: options.weighting ?? "token",
      batch: (step) => slice(pool[order[step - 1]] as TrainingBatch, size),
      frozen: routers ? undefined : (name) => /\.router(\.bias)?$/.test(name),
      pruning: experts ?? rows,
      rules: [...(options.risingK ? [risingK(options.risingK)] : []),
        ...(options.clusterDropout ? [clusterDropout(options.clusterDropout)] : [])],
      check: options.validate && { ...options.validate, loss: await validation(study, options, stage) },
      state: options.state
        ? { folder: options.state, every: 50, key: [stage, fingerprint, size, routers, whole?.keep, teacher] }
        : undefined,
      distill: alpha > 0
        ? { ...shown, alpha, teacher: (_: number, batch: TrainingBatch) => teacherLogits(study.original, batch) }
        : undefined,
      onStep: ({ loss, load }) => {
        if (load) collapsed = collapsedLayers(load, trainable.spec);
        bar.advance(1,
          `loss ${loss.toFixed(3)}${collapsed.length ? `, router of ${collapsed.join(", ")} collapsed` : ""}`);
      },
    });
    bar.done();
    const trained = await withSettledForms({ spec: trainable.spec, weights: await trainable.snapshot() });
    const { spec, plan, weights } = experts
      ? await withoutExperts(trained, experts, options.prune!)
      : { ...trained, plan: study.plan };
    const model = new Model(`${study.model.id}+${stage}`, spec, weights, study.model);
    if (study.model !== study.original) study.model.rest();
    for (const layer of result.collapsed)
      warnings.push(
        `${stage}: the router of ${layer} has collapsed: nearly all tokens take the same experts `
          + `(${effectiveExperts(sharesOf(result.load[layer].counts)).toFixed(1)} of ${
            result.load[layer].counts.length
          } in effect). `
          + "A balance loss keeps experts in use.",
      );
    const { losses, checks, load } = result;
    return { ...study, model, before: undefined, plan, evaluation: undefined,
      warnings: [...(study.warnings ?? []), ...warnings],
      steps: [...study.steps, { stage, options: { ...shown, steps, lr, warmup, alpha, routers, batch: size },
        ...(plan !== study.plan && { plan }), training: { losses, checks, load, collapsed: result.collapsed },
        ...took() }] };
  } catch (error) {
    bar.fail(error);
    throw error;
  } finally {
    rows?.dispose();
    trainable.dispose();
  }
}

/** Windows of text come four at a time: as many rows together as a step takes. */
function filled({ name, batches }: NamedBatches, size: number, stage: string): TaskBatch[] {
  if (batches[0].decoderIds || batches.some(({ ids }) => ids[0].length !== batches[0].ids[0].length)) return batches;
  const rows = batches.flatMap(({ ids }) => ids).length;
  if (batches.every(({ ids }) => ids.length >= Math.min(size, rows))) return batches;
  if (rows < size)
    throw new MoeError("too-little-data",
      `${stage}: ${name} gives ${rows} windows and a step takes ${size}; accepted is at least one step. Lower `
        + "{ batch } or { window }, or give a larger corpus.");
  const all = (key: "ids" | "mask" | "labels") => batches.flatMap((batch) => batch[key] as number[][]);
  const [ids, mask, labels] = [all("ids"), all("mask"), all("labels")];
  return Array.from({ length: Math.floor(rows / size) }, (_, at) => {
    const take = (from: number[][]) => from.slice(at * size, (at + 1) * size);
    return { ids: take(ids), mask: take(mask), labels: take(labels) };
  });
}

/** What somebody should know who trains long on little. */
function seenOften(pool: readonly TaskBatch[], steps: number, stage: string): string[] {
  const times = steps / pool.length;
  return times < 50
    ? []
    : [
      `${stage}: ${steps} steps on ${pool.length} batches: each is seen about ${Math.round(times)} `
      + "times. A larger corpus, or fewer steps, says more about unseen text.",
    ];
}

/** Mean loss of the development part, in nats per token. */
async function validation(
  study: StudyState,
  { validate, ...options }: TuneOptions,
  stage: string,
): Promise<(model: Trainable) => Promise<number>> {
  const { groups } = await taskData(study.opened, "dev", { ...options, items: validate!.items ?? 64 }, stage);
  const batches = groups.flatMap(({ batches }) => batches.map((batch) => slice(batch as TrainingBatch, Infinity)));
  return async (model) => {
    let [sum, count] = [0, 0];
    for (const batch of batches) {
      const loss = tf.tidy(() => stepLoss(model, batch, { step: 1, steps: 1, spec: model.spec, seed: "validation" }));
      const asked = batch.labels.flat().filter((label) => label >= 0).length;
      sum += asked * (await loss.data())[0];
      count += asked;
      loss.dispose();
    }
    return sum / count;
  };
}

/** Frees what was masked on the way: a plan on the trained weights, carried out. */
async function withoutExperts(
  { spec, weights }: SpecAndWeights,
  experts: EagerPruning,
  options: Omit<EagerPruningOptions, "steps">,
): Promise<SpecAndWeights & { plan: Plan }> {
  const plan: Plan = { version: 1, for: await weights.fingerprint(), method: "task-specific", paper: "arXiv:2206.00277",
    options: { ...options }, layers: experts.layers() };
  return { ...(await applyPlan({ spec, weights }, plan)), plan };
}

async function teacherLogits(teacher: Model, batch: TrainingBatch): Promise<Tensor> {
  const { logits } = await teacher.forward(batch, { capacity: false });
  const flat = tf.reshape(logits, [-1, teacher.spec.vocab]);
  logits.dispose();
  return flat;
}

function slice(batch: TrainingBatch, size: number): TrainingBatch {
  const take = <T>(rows?: T[]) => rows?.slice(0, size);
  const labels = take(batch.labels)!;
  return { ids: take(batch.ids)!, mask: take(batch.mask), decoderIds: take(batch.decoderIds),
    ...(batch.decoderIds && { decoderMask: labels.map((row) => row.map((label) => (label >= 0 ? 1 : 0))) }), labels };
}
