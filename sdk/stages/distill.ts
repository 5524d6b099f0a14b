import type { Tensor } from "@tensorflow/tfjs";
import { MoeError } from "../errors.js";
import { Model } from "../model/model.js";
import { Trainable } from "../model/trainable.js";
import { tf } from "../tensor/index.js";
import { Rng } from "../tensor/index.js";
import type { DistillationOptions } from "../train/distillation-loss.js";
import { train, type TrainingBatch } from "../train/train.js";
import { kernelHost } from "../view/displayable.js";
import { progress } from "../view/progress.js";
import type { StudyState } from "./study.js";
import { taskData, type DataOptions } from "./task-data.js";

export interface DistillOptions extends DataOptions, DistillationOptions {
  /** optimiser steps; default 150 */
  steps?: number;
  /** highest learning rate; default 2e-4 */
  lr?: number;
  warmup?: number;
  /** sequences of a step; default 32 */
  batch?: number;
  /** weight of the distance to the model as loaded; default 0.2, 0 for none */
  alpha?: number;
  /** train the routers too; default false, as in the paper */
  routers?: boolean;
  /** keep the state in this folder and go on from it */
  state?: string;
  signal?: AbortSignal;
}

/**
 * Recovers a changed model: task loss plus `alpha` times the KL divergence from the model as it was loaded, routers frozen,
 * no dropout. Section 3.2 of arXiv:2310.01334 and its code.
 */
export async function distillStage(study: StudyState, options: DistillOptions = {}): Promise<StudyState> {
  const started = performance.now();
  const { steps = 150, lr = 2e-4, warmup = Math.min(16, Math.floor(steps / 10)), batch: size = 32, alpha = 0.2, signal = kernelHost()?.signal, data: _, ...shown } = options;
  if (!Number.isInteger(steps) || steps < 1) throw new MoeError("bad-steps", `distill: steps is ${steps}; accepted is a whole number from 1.`);
  const { groups } = await taskData(study.opened, "train", { ...options, items: options.items ?? steps * size });
  const pool = groups.flatMap((group) => group.batches);
  const rng = new Rng(`distill ${options.seed ?? 0}`);
  const order = Array.from({ length: steps }, () => rng.int(pool.length));
  const trainable = await Trainable.from(study.model.spec, study.model.weights);
  const bar = progress({ label: `distill ${study.model.id}`, total: steps, unit: "steps", signal });
  try {
    await train(trainable, {
      steps, lr, warmup, signal, weighting: "token",
      batch: (step) => slice(pool[order[step - 1]] as TrainingBatch, size),
      frozen: options.routers ? undefined : (name) => /\.router(\.bias)?$/.test(name),
      ...(options.state && { state: { folder: options.state, every: 50 } }),
      ...(alpha > 0 && { distill: { alpha, ...options, teacher: (_: number, batch: TrainingBatch) => teacherLogits(study.original, batch) } }),
      onStep: ({ loss }) => bar.advance(1, `loss ${loss.toFixed(3)}`),
    });
    bar.done();
    const model = new Model(`${study.model.id}+distill`, study.model.spec, await trainable.snapshot());
    return { ...study, model, evaluation: undefined, steps: [...study.steps, { stage: "distill", options: { ...shown, steps, lr, warmup, alpha }, timeMs: performance.now() - started }] };
  } catch (error) {
    bar.fail(error);
    throw error;
  } finally {
    trainable.dispose();
  }
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
  return { ids: take(batch.ids)!, mask: take(batch.mask), decoderIds: take(batch.decoderIds), ...(batch.decoderIds && { decoderMask: labels.map((row) => row.map((label) => (label >= 0 ? 1 : 0))) }), labels };
}
