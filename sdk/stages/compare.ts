import { cost, type PairedInterval, pairedT } from "../evaluate/index.js";
import { type Chart, charts } from "../view/index.js";
import { progress } from "../view/progress.js";
import { type Table, table } from "../view/table.js";
import { Tabular } from "../view/tabular.js";
import { type ChangeOptions, changeStage, measuredAgain } from "./change.js";
import { evaluateStage, testBed } from "./evaluate.js";
import { type TaskScore } from "./evaluation.js";
import { limitMemory, type MemoryOptions } from "./memory.js";
import { profileStage } from "./profile.js";
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
   * exact match minus that of the model as loaded, paired by item, in points; over items of one model: it says nothing
   * about other seeds
   */
  difference?: PairedInterval;
}

/** Scores of several arms on the same items, the model as loaded first. */
export class Comparison extends Tabular {
  constructor(readonly title: string, readonly rows: readonly ArmRow[]) {
    super();
  }

  table(): Table {
    return table(this.rows.map(({ arm, scores, parameters, sizeBytes, flopsPerToken, difference }) => {
      const [one] = scores;
      const mean = scores.reduce((sum, { exactMatch }) => sum + exactMatch.value, 0) / scores.length;
      const spread = Math.sqrt(scores.reduce((sum, { exactMatch }) => sum + exactMatch.stderr ** 2, 0)) / scores.length;
      return {
        arm,
        em: mean,
        em_stderr: spread,
        difference: difference
          ? `${signed(difference.mean)} [${signed(difference.low)}, ${signed(difference.high)}]`
          : "",
        kl: one.kl ? scores.reduce((sum, { kl }) => sum + kl!.value, 0) / scores.length : 0,
        kl_stderr: one.kl
          ? Math.sqrt(scores.reduce((sum, { kl }) => sum + kl!.stderr ** 2, 0)) / scores.length
          : undefined,
        parameters,
        size: sizeBytes,
        flops: flopsPerToken,
      };
    }), {
      title: this.title,
      columns: {
        arm: "text",
        em: { title: "exact match", format: "percent" },
        difference: { title: "against full (points, 95 %)", format: "text" },
        kl: { title: "KL to full (nats)", format: "number" },
        parameters: "count",
        size: { title: "size in float16", format: "bytes" },
        flops: { title: "FLOPs per token", format: "count" },
      },
    });
  }

  /** Quality against size, one point an arm. */
  chart(): Chart {
    return charts.qualitySize(
      this.rows.map(({ arm, scores, parameters }) => ({ arm, size: parameters,
        quality: 100 * scores[0].exactMatch.value, low: 100 * scores[0].interval.low,
        high: 100 * scores[0].interval.high })
      ),
      { quality: "exact match (%), 95 % interval" },
    );
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
      rows.push({ ...row(arm, changed), difference: pairedT(perItem(changed).map((right, item) =>
        100 * (right - perItem(full)[item])
      )) });
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

function perItem(study: StudyState): number[] {
  return study.evaluation!.after.scores.flatMap(({ exactMatch }) => exactMatch.perItem);
}

function signed(value: number): string {
  return `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(1)}`;
}
