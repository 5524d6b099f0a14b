import type { TrainingBatch } from "../../../sdk/model/batch.js";
import { packageFile } from "../../../sdk/package-file.js";
import type { Rng } from "../../../sdk/tensor/index.js";
import { type EncodedItems, encodeItems, toBatch } from "../../../sdk/text/task-batch.js";
import { loadTask } from "../../../sdk/text/tasks/load-task.js";
import type { Item, Task } from "../../../sdk/text/tasks/task.js";
import { loadTokenizer } from "../../../sdk/text/tokenizer.js";

/** A task's items in the token ids of the bundled tokenizer. */
export interface Pool {
  task: Task;
  train: EncodedItems;
  dev: EncodedItems;
  test: EncodedItems;
}

export const tokenizer = () => loadTokenizer(packageFile("data/models/nano-switch"));

export async function loadPool(name: string): Promise<Pool> {
  const [task, pieces] = await Promise.all([loadTask(name, { sizes: { train: 60_000 } }), tokenizer()]);
  const encode = (items: readonly Item[]) =>
    encodeItems(task, items, { encode: (text) => pieces.encode(text, { specialTokens: false }) });
  return { task, train: encode(task.train), dev: encode(task.dev), test: encode(task.test) };
}

/** Draws `count` items with replacement. */
export function draw(items: EncodedItems, count: number, rng: Rng): EncodedItems {
  const rows = Array.from({ length: count }, () => rng.int(items.ids.length));
  return { ids: rows.map((row) => items.ids[row]), answers: rows.map((row) => items.answers[row]) };
}

/** One right-padded batch of all items given. */
export function trainingBatch(parts: readonly EncodedItems[]): TrainingBatch {
  const all = { ids: parts.flatMap(({ ids }) => ids), answers: parts.flatMap(({ answers }) => answers) };
  const batch = toBatch(all, all.ids.map((_, row) => row));
  return { ...batch, decoderMask: batch.labels.map((row) => row.map((label) => (label >= 0 ? 1 : 0))) };
}
