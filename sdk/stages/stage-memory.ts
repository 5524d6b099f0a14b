import { MoeError } from "../errors.js";
import { scoreTask, type TaskBatch, TeacherLogits } from "../evaluate/index.js";
import { type TrainingBatch } from "../model/batch.js";
import { Trainable } from "../model/trainable.js";
import type { Statistic } from "../profile/statistic.js";
import { tf } from "../tensor/index.js";
import { watchMemory } from "../tensor/peak-memory.js";
import { train } from "../train/train.js";
import { type Table, table } from "../view/table.js";
import { Tabular } from "../view/tabular.js";
import { withDecoderMask } from "./calibrate.js";
import { measure, USUAL } from "./profile.js";
import type { StudyState } from "./study-state.js";
import { type DataOptions, taskData } from "./task-data.js";

export interface StageMemoryOptions extends DataOptions {
  /** of the profile; default those that it measures by itself */
  statistics?: Statistic[];
  /** sequences of a training step; default 32 */
  batch?: number;
}

/** What stages will hold at a time. */
export class MemoryForecast extends Tabular {
  /**
   * @param stages most bytes of tensors at a time, those of the models included: what `study.steps` says after the
   *   stage
   */
  constructor(
    readonly model: string,
    readonly stages: readonly { stage: "profile" | "evaluate" | "train"; peakBytes: number }[],
  ) {
    super();
  }

  table(): Table {
    return table(this.stages, { title: `Memory of ${this.model}`,
      columns: { stage: "text", peakBytes: { title: "most at a time", format: "bytes" } } });
  }
}

/**
 * Forecasts the memory of tensors in the stages that run the model, from a trial with a few rows of the largest batch:
 * what
 * a row adds is the same for every further one. A model larger than its budget runs within the budget, see `memory`.
 *
 * @throws MoeError `not-counted` on a back end that does not count its memory (all but torch), `no-data` as `profile`
 */
export async function memoryStage(study: StudyState, options: StageMemoryOptions = {}): Promise<MemoryForecast> {
  if (watchMemory()() === undefined)
    throw new MoeError("not-counted",
      `memory: the back end ${tf.getBackend()} does not count the bytes of its tensors; accepted is torch. `
        + "Build it with npx moelab engine build.");
  const { model, original, calibration } = study;
  const batchesOf = async (part: "train" | "test", items: number) =>
    (await taskData(study.opened, part, { ...options, items: options.items ?? items })).groups.flatMap(({ batches }) =>
      batches
    );
  const profiled = calibration?.batches ?? (await batchesOf("train", 256)).map(withDecoderMask),
    scored = await batchesOf("test", 400);
  const { id, fingerprint, seed } = calibration ?? { id: "trial", fingerprint: "", seed: 0 };

  const stages: MemoryForecast["stages"][number][] = [];
  if (model.spec.decoder.layers.some(({ ffn }) => ffn?.kind === "moe")) {
    const largest = largestOf(profiled);
    const one = await atRows(largest, largest.ids.length, (batch) =>
      measure(model, { id, fingerprint, seed, batches: [batch] }, options.statistics ?? [...USUAL]));
    // between layers all batches wait
    const waiting = profiled.reduce((sum, batch) => sum + (batch === largest ? 0 : batch.ids.length * tokensOf(batch)),
      0);
    stages.push({ stage: "profile", peakBytes: one + 4 * model.spec.width * waiting });
  }
  const teacher = model === original ? undefined : original;
  const largest = largestOf(scored);
  stages.push({ stage: "evaluate",
    peakBytes: await atRows(largest, largest.ids.length,
      (batch) => scoreTask(model, [batch], { teacher: teacher && new TeacherLogits(teacher) })) });

  const trainable = await Trainable.from(structuredClone(model.spec), model.weights);
  try {
    const size = options.batch ?? 32, batch = largestOf(profiled.map((each) => rowsOf(each, size))) as TrainingBatch;
    const step = (rows: TaskBatch) =>
      train(trainable, { steps: 1, lr: 0, decay: 0, clip: 1, batch: () => rows as TrainingBatch });
    // windows of text are put together to as many rows as a step takes
    const windows = !options.data && !batch.decoderIds;
    const all = profiled.reduce((sum, { ids }) => sum + ids.length, 0);
    stages.push({ stage: "train",
      peakBytes: await atRows(batch, windows ? Math.min(size, all) : batch.ids.length, step) });
  } finally {
    trainable.dispose();
  }
  return new MemoryForecast(model.id, stages);
}

/** The peak of some work with so many rows of a batch, from its peaks with two and with four. */
async function atRows(batch: TaskBatch, rows: number, work: (batch: TaskBatch) => Promise<unknown>): Promise<number> {
  await work(rowsOf(batch, 1)); // weights that stay are read
  const peakAt = async (count: number) => {
    const peak = watchMemory();
    await work(rowsOf(batch, count));
    return peak()!;
  };
  if (rows <= 4) return peakAt(rows);
  const [two, four] = [await peakAt(2), await peakAt(4)];
  return Math.round(four + ((rows - 4) * (four - two)) / 2);
}

function rowsOf(batch: TaskBatch, count: number): TaskBatch {
  const take = <T>(rows: T[]) => rows.slice(0, count);
  const { ids, mask, decoderIds, labels } = batch;
  return { ids: take(ids), ...(mask && { mask: take(mask) }), ...(decoderIds && { decoderIds: take(decoderIds) }),
    ...("decoderMask" in batch && { decoderMask: take(batch.decoderMask as number[][]) }), labels: take(labels) };
}

/** tokens of a row, both sides */
const tokensOf = ({ ids, decoderIds }: TaskBatch) => ids[0].length + (decoderIds?.[0].length ?? 0);

function largestOf(batches: readonly TaskBatch[]): TaskBatch {
  return batches.reduce((
    largest,
    batch,
  ) => (batch.ids.length * tokensOf(batch) > largest.ids.length * tokensOf(largest) ? batch : largest));
}
