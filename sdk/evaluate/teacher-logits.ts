import type { Tensor } from "@tensorflow/tfjs";
import { tf } from "../tensor/index.js";
import { positions } from "./divergence.js";

/** Rows of a task, right-padded: what a model reads and what it should say. */
export interface TaskBatch {
  /** [B][S] */
  ids: number[][];
  /** [B][S] 1 for tokens, 0 for padding */
  mask?: number[][];
  /** [B][T] of an encoder-decoder model, beginning with its start token */
  decoderIds?: number[][];
  /** [B][T] the token to be predicted at each position of the logits, -1 where none is */
  labels: number[][];
  /** which items of the task the rows are; default: in the order of the batches */
  rows?: number[];
}

/** Anything that gives logits [B, T, V]. */
export interface LogitsModel {
  forward(batch: Pick<TaskBatch, "ids" | "mask" | "decoderIds">): Promise<{ logits: Tensor; dispose?(): void }>;
}

/** The logits at the labelled positions of a batch, [n, V] in row order; the caller disposes them. */
export async function labelledLogits(model: LogitsModel, { ids, mask, decoderIds, labels }: TaskBatch): Promise<Tensor> {
  const output = await model.forward({ ids, ...(mask && { mask }), ...(decoderIds && { decoderIds }) });
  try {
    return positions(output.logits, labels.flatMap((row) => row.map((label) => (label >= 0 ? 1 : 0))));
  } finally {
    if (output.dispose) output.dispose();
    else output.logits.dispose();
  }
}

/**
 * A teacher's logits, computed once per batch and kept for the arms that follow.
 * Only labelled positions are kept, as float32 in main memory (4 V bytes each), until the budget is spent; batches
 * beyond it are computed anew each time. So memory is bounded and the numbers are the same either way.
 * A batch is recognised by identity: score all arms on the same batch objects.
 */
export class TeacherLogits {
  private readonly kept = new WeakMap<TaskBatch, { values: Float32Array; shape: [number, number] }>();
  private freeBytes: number;

  /** @param options.memoryBytes default 512 MiB: 131,072 positions at V = 1,024 */
  constructor(private readonly model: LogitsModel, options: { memoryBytes?: number } = {}) {
    this.freeBytes = options.memoryBytes ?? 512 * 2 ** 20;
  }

  /** [n, V], as `labelledLogits`; the caller disposes it */
  async rows(batch: TaskBatch): Promise<Tensor> {
    const known = this.kept.get(batch);
    if (known) return tf.tensor2d(known.values, known.shape);
    const rows = await labelledLogits(this.model, batch);
    if (4 * rows.size <= this.freeBytes) {
      this.freeBytes -= 4 * rows.size;
      // a copy: a back end may hand out its own memory
      this.kept.set(batch, { values: Float32Array.from(await rows.data()), shape: rows.shape as [number, number] });
    }
    return rows;
  }
}
