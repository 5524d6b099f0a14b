import type { Tensor } from "@tensorflow/tfjs-core";
import { RowPruning } from "../../../sdk/compress/row-pruning.js";
import { type TrainingBatch } from "../../../sdk/model/batch.js";
import { withSettledForms } from "../../../sdk/model/form/formed-matrices.js";
import { Model } from "../../../sdk/model/model.js";
import { Trainable } from "../../../sdk/model/trainable.js";
import { EagerPruning } from "../../../sdk/prune/eager-pruning.js";
import { Rng, tf } from "../../../sdk/tensor/index.js";
import { train } from "../../../sdk/train/train.js";
import { draw, type Pool, trainingBatch } from "./pool.js";
import { compression, recovery } from "./recipe.js";

/** One draw of training data with the teacher's logits: every arm sees the same. */
export class RecoveryData {
  private readonly batches = new Map<number, TrainingBatch>();
  private readonly logits = new Map<number, { values: Float32Array; shape: number[] }>();

  constructor(private readonly pool: Pool, private readonly teacher: Model, private readonly seed: string) {}

  batch(step: number): TrainingBatch {
    if (!this.batches.has(step))
      this.batches.set(step, trainingBatch([draw(this.pool.train, recovery.batch, new Rng(`${this.seed} ${step}`))]));
    return this.batches.get(step)!;
  }

  async teacherLogits(step: number): Promise<Tensor> {
    const known = this.logits.get(step);
    if (known) return tf.tensor(known.values, known.shape);
    const { logits } = await this.teacher.forward(this.batch(step), { capacity: false });
    const [rows, V] = [logits.shape[0] * logits.shape[1], logits.shape[2]];
    this.logits.set(step, { values: Float32Array.from(await logits.data()), shape: [rows, V] });
    return tf.reshape(logits, [rows, V]);
  }
}

export interface RecoverOptions {
  /** without the teacher's logits */
  alone?: boolean;
  /** the compression's steps and rate, and rows of the remainders go on the way */
  compress?: boolean;
  /** experts go on the way until so many are left in a layer */
  eager?: number;
}

/** Trains a changed model on with the teacher's logits beside the labels, routers frozen. */
export async function recover(
  model: Model,
  data: RecoveryData,
  { alone = false, compress = false, eager }: RecoverOptions = {},
): Promise<Model> {
  const trainable = await Trainable.from(structuredClone(model.spec), model.weights);
  const { steps, lr, warmup, clip, decay, alpha, temperature } = compress ? compression : recovery;
  const rows = compress
    ? new RowPruning({ steps, keep: compression.keep, start: compression.start, settle: compression.settle })
    : undefined;
  await train(trainable, {
    steps,
    lr,
    warmup,
    clip,
    decay,
    weighting: "example",
    frozen: (weight) => weight.endsWith("router"),
    batch: (step) => data.batch(step),
    pruning: eager ? new EagerPruning(trainable.spec, { steps, keep: eager }) : rows,
    ...(!alone && { distill: { alpha, temperature, teacher: (step: number) => data.teacherLogits(step) } }),
  });
  const weights = await trainable.snapshot();
  rows?.dispose();
  trainable.dispose();
  const made = await withSettledForms({ spec: trainable.spec, weights });
  return new Model(`${model.id}+recovered`, made.spec, made.weights);
}
