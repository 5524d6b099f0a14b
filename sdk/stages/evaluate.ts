import { MoeError } from "../errors.js";
import { binomialInterval, cost, isHigherBetter, provenance, report, scoreTask, taskResult,
  TeacherLogits } from "../evaluate/index.js";
import type { Model } from "../model/model.js";
import { kernelHost } from "../view/displayable.js";
import { type Progress, progress } from "../view/progress.js";
import type { Evaluation, TaskScore } from "./evaluation.js";
import { measureStage } from "./measure-stage.js";
import { limitMemory, type MemoryOptions } from "./memory.js";
import type { StudyState } from "./study-state.js";
import { type DataOptions, type NamedBatches, taskData } from "./task-data.js";

export interface EvaluateOptions extends DataOptions, MemoryOptions {
  /** also score the model as it was loaded, and the distance to it; default true */
  before?: boolean;
  signal?: AbortSignal;
}

/** Batches of test items with the logits of the model as loaded, shared by all arms that are compared on them. */
export interface TestBed {
  groups: NamedBatches[];
  /** rows of all batches */
  items: number;
  id: string;
  fingerprint: string;
  teacher: TeacherLogits;
  before?: TaskScore[];
  /** one display of progress for all arms */
  bar?: Progress;
}

export async function testBed(study: StudyState, options: DataOptions = {}): Promise<TestBed> {
  const { groups, id, fingerprint } = await taskData(study.opened, "test", { ...options, items: options.items ?? 400 });
  const rows = groups.reduce(
    (sum, { batches }) => sum + batches.reduce((count, { labels }) => count + labels.length, 0),
    0,
  );
  if (rows === 0)
    throw new MoeError("no-data", "evaluate: there is no test item; accepted is at least one. Raise { items }.");
  return { groups, items: rows, id, fingerprint, teacher: new TeacherLogits(study.original, {
    memoryBytes: Math.min(512 * 2 ** 20, study.original.memory.activationBytes),
  }) };
}

/** Scores the model on test items by teacher forcing, beside the model as it was loaded, with size and FLOPs. */
export async function evaluateStage(
  study: StudyState,
  options: EvaluateOptions = {},
  bed?: TestBed,
): Promise<StudyState> {
  const took = measureStage();
  for (const model of [study.original, study.model]) limitMemory(model, options);
  const { signal = kernelHost()?.signal, data: _, ...shown } = options;
  const on = bed ?? (await testBed(study, options));
  const changed = study.model !== study.original;
  const runs = [...(!on.before && (!changed || options.before !== false) ? [study.original] : []),
    ...(changed ? [study.model] : [])];
  const bar = on.bar
    ?? progress({ label: `evaluate ${study.model.id}`, total: runs.length * on.items, unit: "items", signal });
  let scores: TaskScore[];
  try {
    const all = on.groups.flatMap(({ batches }) => batches);
    const run = async () => {
      const { teacher } = on;
      // where the teacher had to compute all anyway, its numbers are those of the model before
      if (runs.includes(study.original))
        on.before = await score(study.original.id, all.every((batch) => teacher.has(batch)) ? teacher : study.original,
          on, false, bar, signal);
      return changed ? score(study.model.id, study.model, on, true, bar, signal) : on.before!;
    };
    scores = await (changed ? on.teacher.during(all, run, { signal }) : run());
    if (!on.bar) bar.done();
  } catch (error) {
    bar.fail(error);
    throw error;
  }
  const evaluation: Evaluation = {
    data: { id: on.id, fingerprint: on.fingerprint },
    scores: Object.fromEntries(scores.map(({ task, metrics }) => [task, metrics])),
    ...(options.before !== false && changed && { before: { scores: on.before!, cost: cost(study.original.spec) } }),
    after: { scores, cost: cost(study.model.spec) },
    report: report(scores.map(({ task, metrics }) => taskResult(task, Object.values(metrics))), {
      provenance: provenance({ model: { id: study.model.id, fingerprint: await study.model.weights.fingerprint() },
        data: on.fingerprint, options: { steps: study.steps.map(({ stage, options }) => ({ stage, ...options })) } }),
    }),
  };
  return { ...study, evaluation, steps: [...study.steps, { stage: "evaluate", options: shown, ...took() }] };
}

async function score(
  id: string,
  model: Model | TeacherLogits,
  bed: TestBed,
  withTeacher: boolean,
  bar: Progress,
  signal?: AbortSignal,
): Promise<TaskScore[]> {
  const scores: TaskScore[] = [];
  for (const { name, headline, batches } of bed.groups) {
    let done = 0;
    const { exact_match, token_accuracy, nll, kl } = await scoreTask(model, batches, {
      teacher: withTeacher ? bed.teacher : undefined,
      signal,
      onProgress: (now) => {
        bar.advance(now - done, id);
        done = now;
      },
    });
    const right = exact_match.perItem.reduce((sum, one) => sum + one, 0);
    const measured = [{ ...exact_match, interval: binomialInterval(right, exact_match.n) }, token_accuracy, nll,
      ...(kl ? [kl] : [])];
    scores.push({ task: name, headline,
      metrics: Object.fromEntries(
        measured.map((score) => [score.metric, { ...score, higherIsBetter: isHigherBetter(score.metric) }]),
      ) });
  }
  return scores;
}
