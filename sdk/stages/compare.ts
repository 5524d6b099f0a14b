import { cost, type PairedInterval, pairedT } from "../evaluate/index.js";
import { type Chart, charts } from "../view/index.js";
import { progress } from "../view/progress.js";
import { type Table } from "../view/table.js";
import { Tabular } from "../view/tabular.js";
import { type ChangeOptions, changeStage, measuredAgain } from "./change.js";
import { evaluateStage, testBed } from "./evaluate.js";
import { type TaskScore } from "./evaluation.js";
import { limitMemory, type MemoryOptions } from "./memory.js";
import { profileStage } from "./profile.js";
import { axisOf, intervalOf, scoreTable } from "./score-table.js";
import { type StudyState } from "./study-state.js";
import { Study } from "./study.js";
import type { DataOptions } from "./task-data.js";

/** One arm of a comparison: what is done to the model. */
export interface Arm extends ChangeOptions {
  arm: string;
}

export interface CompareOptions extends DataOptions, MemoryOptions {
  signal?: AbortSignal;
}

/** An arm's scores on the same items as every other arm's. */
export interface ArmRow {
  arm: string;
  study: Study;
  scores: TaskScore[];
  parameters: number;
  sizeBytes: number;
  flopsPerToken: number;
  /**
   * headline minus that of the first row, paired by item, in points where it is a share; over items of one model: it
   * says nothing about other seeds
   */
  difference?: PairedInterval;
}

/** Scores of several arms on the same items, the model as loaded first. */
export class Comparison extends Tabular {
  constructor(readonly title: string, readonly rows: readonly ArmRow[]) {
    super();
  }

  table(): Table {
    return scoreTable(
      this.rows.map(({ arm: name, difference, ...row }) => ({ ...row, name,
        difference: difference && intervalText(difference) })
      ),
      { title: this.title, head: "arm", byTask: false, against: `against ${this.rows[0].arm}` },
    );
  }

  /** Quality against size, one point an arm. */
  chart(): Chart {
    const { headline, metrics } = this.rows[0].scores[0];
    const { title, scale } = axisOf(headline);
    const { higherIsBetter } = metrics[headline];
    return charts.qualitySize(this.rows.map(({ arm, scores: [{ metrics: { [headline]: score } }], parameters }) => {
      const { low = score.value, high = score.value } = intervalOf(score);
      return { arm, size: parameters, quality: scale * score.value, low: scale * low, high: scale * high };
    }), { quality: `${title}, 95 % interval`, lowerIsBetter: !higherIsBetter });
  }
}

/** Runs each arm on one profiled model and scores all on the same test items. */
export async function compareStage(
  study: StudyState,
  arms: readonly Arm[],
  options: CompareOptions = {},
): Promise<Comparison> {
  limitMemory(study.original, options);
  const bed = await testBed(study, options);
  // what one arm's method measures beyond the profile serves the next
  let profiled = study.profile
    ? await measuredAgain(study, options, "compare")
    : await profileStage(study, { task: options.task, corpus: options.corpus, data: options.data });
  bed.bar = progress({ label: "compare", total: (arms.length + 1) * bed.items, unit: "items", signal: options.signal });
  const batches = bed.groups.flatMap((group) => group.batches);
  // a model that does not stay in memory is read once for all arms
  return bed.teacher.during(batches, async () => {
    const full = await evaluateStage(profiled, { ...options, before: false }, bed);
    const rows: ArmRow[] = [row(study.model === study.original ? "full" : "now", full)];
    for (const { arm, ...change } of arms) {
      const planned = await changeStage(profiled, change, undefined);
      profiled = { ...profiled, profile: planned.profile, tensors: planned.tensors };
      const changed = await evaluateStage(planned, { ...options, before: false }, bed);
      rows.push({ ...row(arm, changed), difference: differenceOf(changed, full) });
      await changed.model.dispose();
    }
    bed.bar!.done();
    return new Comparison(`${study.model.id} on ${bed.id}, ${perItem(full).length} items, one seed`, rows);
  }, { signal: options.signal });
}

function row(arm: string, study: StudyState): ArmRow {
  const { parameters, sizeBytes, flopsPerToken } = cost(study.model.spec);
  return { arm, study: new Study(study), scores: study.evaluation!.after.scores, parameters: parameters.total,
    sizeBytes: sizeBytes.float16, flopsPerToken };
}

function differenceOf(changed: StudyState, full: StudyState): PairedInterval {
  const { scale } = axisOf(full.evaluation!.after.scores[0].headline);
  const before = perItem(full);
  return pairedT(perItem(changed).map((value, item) => scale * (value - before[item])));
}

/** the headline of every item */
function perItem(study: StudyState): number[] {
  return study.evaluation!.after.scores.flatMap(({ headline, metrics }) => metrics[headline].perItem);
}

/** points with one decimal, as always; what is smaller with as many as show it */
function intervalText({ mean, low, high }: PairedInterval): string {
  const widest = Math.max(Math.abs(low), Math.abs(high));
  const digits = widest >= 1 || widest === 0 || !Number.isFinite(widest)
    ? 1
    : Math.min(6, 1 - Math.floor(Math.log10(widest)));
  const signed = (value: number) => `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(digits)}`;
  return `${signed(mean)} [${signed(low)}, ${signed(high)}]`;
}
