import type { Tensor } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import { crossEntropy, tf } from "../tensor/index.js";
import { divergence } from "./divergence.js";
import { itemScore, type Score, tokenScore } from "./score.js";
import { eachLabelledLogits, type LogitsModel, type TaskBatch, TeacherLogits } from "./teacher-logits.js";

export interface ScoreTaskOptions {
  /** adds `kl` and `agreement`; pass `TeacherLogits` when several arms are scored against one teacher */
  teacher?: LogitsModel | TeacherLogits;
  signal?: AbortSignal;
  /** after each batch: items done so far, and of how many */
  onProgress?(done: number, total: number): void;
}

/**
 * - `exact_match`: every position of the item is right. Equal to the exact match of greedy decoding that ends where the
 *   answer ends
 * - `token_accuracy`, `nll` (nats), `kl` (KL(teacher || student), nats), `agreement` (same most likely token): means
 *   over all tokens
 */
export type TaskScores = Record<"exact_match" | "token_accuracy" | "nll", Score> & Partial<
  Record<"kl" | "agreement", Score>
>;

/**
 * Scores a model on a task by teacher forcing: at each position it is given the right tokens before it.
 *
 * @param batches the same objects for every arm, so that items pair up and a teacher's logits are computed once
 * @throws MoeError `no-labels` for an empty task or an item without a label, `aborted`
 * @example const { exact_match } = await scoreTask(model, batches); exact_match.value
 */
export async function scoreTask(
  model: LogitsModel | TeacherLogits,
  batches: readonly TaskBatch[],
  { teacher, signal, onProgress }: ScoreTaskOptions = {},
): Promise<TaskScores> {
  const items = itemOrder(batches);
  const total = items.flat().length;
  const zeros = () => new Array<number>(total).fill(0);
  const [length, right, nll, kl, agree] = [zeros(), zeros(), zeros(), zeros(), zeros()];
  const source = teacher
    && (teacher instanceof TeacherLogits ? teacher : new TeacherLogits(teacher, { memoryBytes: 0 }));

  let done = 0, told = 0;
  const tell = (now: number) => onProgress?.(told = Math.max(told, now), total);
  const see = async (logits: Tensor, index: number) => {
    const { labels } = batches[index];
    const measured = await measure(logits, batches[index], source);
    const wrong = Array.from(measured.loss).findIndex((loss) => !Number.isFinite(loss));
    if (wrong >= 0)
      throw new MoeError("not-finite",
        `evaluate: the loss of labelled token ${wrong} of batch ${index} is ${
          measured.loss[wrong]
        }; accepted are finite ` + "logits. The head's numbers grew beyond float32: look at their scale.");
    let position = 0;
    labels.forEach((row, b) => {
      const item = items[index][b];
      for (const label of row) {
        if (label < 0) continue;
        length[item] += 1;
        right[item] += measured.best[position] === label ? 1 : 0;
        nll[item] += measured.loss[position];
        if (measured.kl) {
          kl[item] += measured.kl[position];
          agree[item] += measured.agree![position];
        }
        position += 1;
      }
    });
    done += labels.length;
    tell(done);
  };
  // of a model that streams, the items are done together with its last layer: until then its layers are told as items
  const run = () =>
    eachLabelledLogits(model, batches, see, { signal, onProgress: (share) => tell(Math.floor(share * (total - 1))) });
  await (source ? source.during(batches, run, { signal }) : run());
  return {
    exact_match: itemScore("exact_match", right.map((count, item) => (count === length[item] ? 1 : 0))),
    token_accuracy: tokenScore("token_accuracy", right, length),
    nll: tokenScore("nll", nll, length),
    ...(source && { kl: tokenScore("kl", kl, length), agreement: tokenScore("agreement", agree, length) }),
  };
}

/** Per labelled position of one batch. */
async function measure(
  logits: Tensor,
  batch: TaskBatch,
  teacher?: TeacherLogits,
): Promise<{ best: ArrayLike<number>; loss: ArrayLike<number>; kl?: Float32Array; agree?: Uint8Array }> {
  const [best, loss] = tf.tidy(() => {
    const labels = tf.tensor1d(batch.labels.flat().filter((label) => label >= 0), "int32");
    return [tf.argMax(logits, -1), crossEntropy(logits, labels)];
  });
  try {
    const [bestIds, losses] = await Promise.all([best.data(), loss.data()]);
    if (!teacher) return { best: bestIds, loss: losses };
    const expected = await teacher.rows(batch);
    try {
      return { best: bestIds, loss: losses, ...(await divergence(expected, logits)) };
    } finally {
      expected.dispose();
    }
  } finally {
    tf.dispose([best, loss]);
  }
}

/** For each batch, the places of its rows in the order of the items, without gaps. */
function itemOrder(batches: readonly TaskBatch[]): number[][] {
  let next = 0;
  const items = batches.map(({ rows, labels }) =>
    labels.map((row, b) => {
      const item = rows?.[b] ?? next++;
      if (!row.some((label) => label >= 0))
        throw new MoeError("no-labels",
          `score: item ${item} has no label; accepted is at least one label of 0 or more per item. Labels are `
            + "-1 for padding only.");
      return item;
    })
  );
  const place = new Map([...new Set(items.flat())].sort((a, b) => a - b).map((item, index) => [item, index]));
  if (place.size === 0)
    throw new MoeError("no-labels",
      "score: the task has no items; accepted is one or more. Check the part and its size.");
  if (place.size < items.flat().length)
    throw new MoeError("repeated-item",
      "score: an item occurs twice in the batches; accepted is each item once. Give the batches of one pass.");
  return items.map((rows) => rows.map((item) => place.get(item)!));
}
