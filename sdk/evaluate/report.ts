import { FormatError, MoeError, suggest } from "../errors.js";
import { pooledMean, pooledStderr } from "./harness/pooled.js";
import type { Provenance } from "./provenance.js";
import { metricKeys, type ReportFile, stderrKey } from "./report-file.js";
import type { Score } from "./score.js";

/** The numbers of one task on one model. */
export interface TaskResult {
  task: string;
  /** `filter` names how answers were taken from texts, default "none"; without `stderr` the file says "N/A" */
  metrics: { metric: string; filter?: string; value: number; stderr?: number; higherIsBetter?: boolean }[];
  /** documents that were scored */
  n: number;
  /** documents that there are; default `n` */
  available?: number;
  shots?: number;
  version?: number | string;
  config?: Record<string, unknown>;
}

/** Tasks whose mean is reported too. */
export interface TaskGroup {
  name: string;
  tasks: string[];
  metrics: { metric: string; weightBySize?: boolean }[];
  version?: number | string;
}

export interface ReportOptions {
  provenance: Provenance;
  groups?: TaskGroup[];
}

/** Metrics for which less is better; every other one is better when it is higher. */
const LOWER_IS_BETTER = new Set(["perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "nll", "kl",
  "symbol_error_rate", "brier_score", "ter"]);

/**
 * Puts results into the layout of lm-evaluation-harness, with what is needed to repeat them.
 *
 * @throws MoeError `repeated-task`, `unknown-task` for a group that names a task without results, `unknown-metric`
 * @example report([taskResult("spell-to-pronounce", Object.values(scores))], { provenance: provenance({ model, seed: 1
 *   }) })
 */
export function report(tasks: readonly TaskResult[], { provenance, groups = [] }: ReportOptions): ReportFile {
  const byName = new Map(tasks.map((task) => [task.task, task]));
  if (byName.size < tasks.length)
    throw new MoeError("repeated-task",
      `report: one task name stands for two results among ${tasks.map(({ task }) => task).join(", ")}; `
        + "accepted is one result per name. Merge or rename them.");
  const grouped = new Set(groups.flatMap((group) => group.tasks));
  const each = <T>(value: (task: TaskResult) => T): Record<string, T> =>
    Object.fromEntries(tasks.map((task) => [task.task, value(task)]));

  const groupResults = Object.fromEntries(groups.map((group) => [group.name, groupResult(group, byName)]));
  return {
    results: { ...groupResults,
      ...each((task) => ({ alias: (grouped.has(task.task) ? " - " : "") + task.task,
        ...metricEntries(task.metrics) })
      ) },
    ...(groups.length > 0 && { groups: groupResults }),
    group_subtasks: { ...Object.fromEntries(groups.map(({ name, tasks }) => [name, tasks])),
      ...Object.fromEntries(tasks.filter(({ task }) => !grouped.has(task)).map(({ task }) => [task, []])) },
    configs: each((task) => task.config ?? { task: task.task }),
    versions: { ...each((task) => task.version ?? 1),
      ...Object.fromEntries(groups.map(({ name, version }) => [name, version ?? 1])) },
    "n-shot": each((task) => task.shots ?? 0),
    higher_is_better: { ...each(directions),
      ...Object.fromEntries(
        groups.map(
          ({ name, tasks }) => [name, Object.assign({}, ...tasks.map((task) => directions(byName.get(task)!)))]
        ),
      ) },
    "n-samples": each((task) => ({ original: task.available ?? task.n, effective: task.n })),
    ...provenance,
  };
}

/** The result of a task from its scores. */
export function taskResult(
  task: string,
  scores: readonly Score[],
  about: Pick<TaskResult, "available" | "shots" | "version" | "config"> = {},
): TaskResult {
  return { task,
    metrics: scores.map(({ metric, value, stderr }) => ({ metric, value, ...(Number.isFinite(stderr) && { stderr }) })),
    n: scores[0].n, ...about };
}

/**
 * The results that a report holds, so that more can be added; groups are left out.
 * @throws FormatError `bad-report` for a task that was not scored
 */
export function taskResults(report: ReportFile): TaskResult[] {
  return Object.keys(report.configs).map((task) => {
    const lacks = (["results", "n-samples"] as const).find((key) => !Object.hasOwn(report[key], task));
    if (lacks)
      throw new FormatError("bad-report",
        `report: ${lacks} has no entry for ${task}, which configs has; accepted is one for each task. Write it again.`);
    const entries = report.results[task];
    const metrics = metricKeys(entries).map((key) => {
      const [metric, filter] = key.split(",");
      const stderr = entries[stderrKey(key)];
      return { metric, ...(filter !== "none" && { filter }), value: entries[key] as number,
        ...(typeof stderr === "number" && { stderr }) };
    });
    return { task, metrics, n: report["n-samples"][task].effective, available: report["n-samples"][task].original,
      shots: report["n-shot"][task], version: report.versions[task], config: report.configs[task] };
  });
}

function metricEntries(metrics: TaskResult["metrics"]): Record<string, number | string> {
  return Object.assign({},
    ...metrics.map(({ metric, filter = "none", value, stderr }) => ({ [`${metric},${filter}`]: value,
      [`${metric}_stderr,${filter}`]: stderr ?? "N/A" })
    ));
}

/** Which way a metric is good, by its name. */
export function isHigherBetter(metric: string): boolean {
  return !LOWER_IS_BETTER.has(metric);
}

function directions(task: TaskResult): Record<string, boolean> {
  return Object.fromEntries(
    task.metrics.map(({ metric, higherIsBetter }) => [metric, higherIsBetter ?? isHigherBetter(metric)]),
  );
}

function groupResult(group: TaskGroup, byName: Map<string, TaskResult>): Record<string, number | string> {
  const members = group.tasks.map((name) => {
    const found = byName.get(name);
    if (!found)
      throw new MoeError("unknown-task",
        `report: group ${group.name} names "${name}", which has no result. ${suggest(name, [...byName.keys()])}`);
    return found;
  });
  const sizes = members.map(({ n }) => n);
  const metrics = group.metrics.flatMap(({ metric, weightBySize = true }) =>
    filtersOf(members[0], metric, group.name).map((filter) => {
      const entries = members.map((member) => {
        const entry = member.metrics.find((one) => one.metric === metric && (one.filter ?? "none") === filter);
        if (!entry)
          throw new MoeError("unknown-metric",
            `report: group ${group.name} asks for ${metric} with filter ${filter}, which task ${member.task} `
              + `lacks. ${suggest(metric, member.metrics.map((one) => one.metric))}`);
        return entry;
      });
      const stderrs = entries.map(({ stderr }) => stderr);
      return {
        metric,
        filter,
        value: pooledMean(entries.map(({ value }) => value), sizes, weightBySize),
        ...(stderrs.every((stderr) => stderr !== undefined) && { stderr: pooledStderr(stderrs, sizes) }),
      };
    })
  );
  return { alias: group.name, ...metricEntries(metrics) };
}

function filtersOf(task: TaskResult, metric: string, group: string): string[] {
  const filters = task.metrics.filter((one) => one.metric === metric).map(({ filter = "none" }) => filter);
  if (filters.length === 0)
    throw new MoeError("unknown-metric",
      `report: group ${group} asks for ${metric}, which task ${task.task} lacks. `
        + `${suggest(metric, task.metrics.map((one) => one.metric))}`);
  return filters;
}
