import type { Tensor } from "@tensorflow/tfjs-core";
import { FixedRows } from "../compress/fixed-rows.js";
import { RowPruning } from "../compress/row-pruning.js";
import { wholeRemainderPlan } from "../compress/whole-remainder-plan.js";
import { MoeError } from "../errors.js";
import { type TrainingBatch } from "../model/batch.js";
import { withSettledForms } from "../model/form/formed-matrices.js";
import { Model } from "../model/model.js";
import { type SpecAndWeights } from "../model/spec-and-weights.js";
import { Trainable } from "../model/trainable.js";
import { applyPlan } from "../plan/apply.js";
import type { Plan } from "../plan/plan.js";
import { EagerPruning, type EagerPruningOptions } from "../prune/eager-pruning.js";
import { Rng, tf } from "../tensor/index.js";
import type { DistillationOptions } from "../train/distillation-loss.js";
import { train, type TrainOptions } from "../train/train.js";
import { kernelHost } from "../view/displayable.js";
import { progress } from "../view/progress.js";
import { measureStage } from "./measure-stage.js";
import type { StudyState } from "./study-state.js";
import { type DataOptions, taskData } from "./task-data.js";

export interface TuneOptions
  extends DataOptions, DistillationOptions,
    Pick<TrainOptions, "schedule" | "beta1" | "beta2" | "eps" | "decay" | "clip" | "balance" | "zLoss" | "weighting"> {
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
  const { steps, lr, alpha, routers, batch: size = 32, warmup = Math.min(16, Math.floor(steps / 10)),
    signal = kernelHost()?.signal, data: _, ...shown } = options;
  if (!Number.isInteger(steps) || steps < 1)
    throw new MoeError("bad-steps", `${stage}: steps is ${steps}; accepted is a whole number from 1.`);
  const { groups, fingerprint } = await taskData(study.opened, "train", { ...options,
    items: options.items ?? steps * size }, stage);
  const pool = groups.flatMap((group) => group.batches);
  const rng = new Rng(`${stage} ${options.seed ?? 0}`);
  const order = Array.from({ length: steps }, () => rng.int(pool.length));

  const whole = options.sparsify !== false && study.before ? wholeRemainderPlan(study.plan) : undefined;
  if (whole && options.prune)
    throw new MoeError("two-prunings",
      `${stage}: rows of remainders and whole experts cannot go in the same training. Say { sparsify: `
        + "false }, or train twice.");
  const begin: SpecAndWeights = whole
    ? await applyPlan(study.before!, whole.plan, { tensors: study.tensors })
    : study.model;
  const trainable = await Trainable.from(structuredClone(begin.spec), begin.weights);
  const rows = whole
    ? new RowPruning({ steps, keep: whole.keep, start: Math.round(0.04 * steps), settle: Math.round(0.16 * steps),
      ...options.sparsify })
    : FixedRows.of(trainable);
  const bar = progress({ label: `${stage} ${study.model.id}`, total: steps, unit: "steps", signal });
  try {
    const experts = options.prune && new EagerPruning(trainable.spec, { ...options.prune, steps });
    const teacher = alpha > 0 && options.state ? await study.original.weights.fingerprint() : undefined;
    await train(trainable, {
      ...shown,
      steps,
      lr,
      warmup,
      signal,
      weighting: options.weighting ?? "token",
      batch: (step) => slice(pool[order[step - 1]] as TrainingBatch, size),
      frozen: routers ? undefined : (name) => /\.router(\.bias)?$/.test(name),
      pruning: experts ?? rows,
      state: options.state
        ? { folder: options.state, every: 50, key: [stage, fingerprint, size, routers, whole?.keep, teacher] }
        : undefined,
      distill: alpha > 0
        ? { ...shown, alpha, teacher: (_: number, batch: TrainingBatch) => teacherLogits(study.original, batch) }
        : undefined,
      onStep: ({ loss }) => bar.advance(1, `loss ${loss.toFixed(3)}`),
    });
    bar.done();
    const trained = await withSettledForms({ spec: trainable.spec, weights: await trainable.snapshot() });
    const { spec, plan, weights } = experts
      ? await withoutExperts(trained, experts, options.prune!)
      : { ...trained, plan: study.plan };
    const model = new Model(`${study.model.id}+${stage}`, spec, weights, study.model);
    if (study.model !== study.original) study.model.rest();
    return { ...study, model, before: undefined, plan, evaluation: undefined,
      steps: [...study.steps, { stage, options: { ...shown, steps, lr, warmup, alpha, routers, batch: size },
        ...(plan !== study.plan && { plan }), ...took() }] };
  } catch (error) {
    bar.fail(error);
    throw error;
  } finally {
    rows?.dispose();
    trainable.dispose();
  }
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
