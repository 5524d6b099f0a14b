import type { Tensor } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import { Activations, type Held } from "../model/activations.js";
import type { MemoryBudget } from "../model/memory-budget.js";
import type { SweepOptions } from "../model/sweep.js";
import { tf } from "../tensor/index.js";
import { positions } from "./divergence.js";

/** Rows of a task, padded on one side: what a model reads and what it should say. */
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

type Input = Pick<TaskBatch, "ids" | "mask" | "decoderIds">;

/** Anything that gives logits [B, T, V]. */
export interface LogitsModel {
  forward(batch: Input): Promise<{ logits: Tensor; dispose?(): void }>;
  /** every pass reads the weights again; then `sweep` takes all batches through each layer in turn */
  readonly streams?: boolean;
  sweep?(batches: Input[], options: Pick<SweepOptions, "sites" | "onSite" | "onProgress" | "signal">): Promise<void>;
  memory?: MemoryBudget;
}

/** The logits at the labelled positions of a batch, [n, V] in row order; the caller disposes them. */
async function labelledLogits(model: LogitsModel, batch: TaskBatch): Promise<Tensor> {
  const output = await model.forward(inputOf(batch));
  try {
    return labelled(output.logits, batch);
  } finally {
    if (output.dispose) output.dispose();
    else output.logits.dispose();
  }
}

/**
 * The logits at the labelled positions of each batch, [n, V] in row order, disposed after `see`. A model whose weights
 * do
 * not stay reads them once for all batches; activations that the memory does not hold wait in a file.
 *
 * @param onProgress of a model that streams: the share of its layers that is done
 */
export async function eachLabelledLogits(
  model: LogitsModel | TeacherLogits,
  batches: readonly TaskBatch[],
  see: (rows: Tensor, at: number) => Promise<void>,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?(share: number): void } = {},
): Promise<void> {
  const seen = async (rows: Tensor, at: number) => {
    try {
      await see(rows, at);
    } finally {
      rows.dispose();
    }
  };
  if (model instanceof TeacherLogits) {
    for (const [at, batch] of batches.entries()) await seen(await model.rows(batch), at);
    return;
  }
  if (model.streams && model.sweep) {
    await model.sweep(batches.map(inputOf), {
      signal,
      onProgress: (done, total) => onProgress?.(done / total),
      sites: ["logits"],
      async onSite(record, { batch }) {
        if (record.site === "logits") await seen(labelled(record.logits, batches[batch]), batch);
      },
    });
    return;
  }
  const items = (some: readonly TaskBatch[]) => some.reduce((sum, { labels }) => sum + labels.length, 0);
  for (const [at, batch] of batches.entries()) {
    if (signal?.aborted)
      throw new MoeError("aborted",
        `score: stopped after ${items(batches.slice(0, at))} of ${items(batches)} items at the caller's request.`);
    await seen(await labelledLogits(model, batch), at);
  }
}

function labelled(logits: Tensor, { labels }: TaskBatch): Tensor {
  return positions(logits, labels.flatMap((row) => row.map((label) => (label >= 0 ? 1 : 0))));
}

function inputOf({ ids, mask, decoderIds }: TaskBatch): Input {
  return { ids, ...(mask && { mask }), ...(decoderIds && { decoderIds }) };
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
  /** of a teacher that streams, while a student is scored */
  private readonly held = new Map<TaskBatch, Held>();

  /** @param options.memoryBytes default 512 MiB: 131,072 positions at V = 1,024 */
  constructor(private readonly model: LogitsModel, options: { memoryBytes?: number } = {}) {
    this.freeBytes = options.memoryBytes ?? 512 * 2 ** 20;
  }

  /** [n, V]: the logits at the labelled positions in row order; the caller disposes it */
  async rows(batch: TaskBatch): Promise<Tensor> {
    const known = this.kept.get(batch);
    if (known) return tf.tensor2d(known.values, known.shape);
    const held = this.held.get(batch);
    if (held) return held.read();
    const rows = await labelledLogits(this.model, batch);
    await this.keep(batch, rows);
    return rows;
  }

  /**
   * Does work that asks for the rows of these batches. A teacher whose weights do not stay reads them once for all;
   * what the
   * budget does not keep waits in a file until the work is done.
   */
  async during<R>(
    batches: readonly TaskBatch[],
    work: () => Promise<R>,
    options: { signal?: AbortSignal; onProgress?(share: number): void } = {},
  ): Promise<R> {
    const { streams, memory } = this.model;
    const missing = batches.filter((batch) => !this.has(batch));
    if (!streams || !memory || missing.length === 0) return work();
    const activations = new Activations(memory);
    try {
      await eachLabelledLogits(this.model, missing, async (rows, at) => {
        if (!(await this.keep(missing[at], rows))) this.held.set(missing[at], await activations.hold(tf.clone(rows)));
      }, options);
      return await work();
    } finally {
      for (const batch of missing) this.held.delete(batch);
      await activations.close();
    }
  }

  /** Whether the rows of a batch need not be computed. */
  has(batch: TaskBatch): boolean {
    return this.kept.has(batch) || this.held.has(batch);
  }

  /** @returns false when the budget is spent */
  private async keep(batch: TaskBatch, rows: Tensor): Promise<boolean> {
    if (4 * rows.size > this.freeBytes) return false;
    this.freeBytes -= 4 * rows.size;
    // a copy: a back end may hand out its own memory
    this.kept.set(batch, { values: Float32Array.from(await rows.data()), shape: rows.shape as [number, number] });
    return true;
  }
}
