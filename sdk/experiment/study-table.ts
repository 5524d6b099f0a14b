import { type StudyEntry, studyMeans } from "../evaluate/index.js";
import { type Table, table } from "../view/index.js";
import type { StudyFile, StudyTable } from "./study-file.js";

/** A table of a study: an arm a row, for each regime and, where the table names tasks, each task; means over units. */
export function studyTable(
  file: StudyFile,
  { title, keep, arms, show, tasks, across }: StudyTable,
  entries: readonly StudyEntry[],
): Table {
  const wanted = tasks ?? (file.task ? [file.task] : undefined);
  // without a task of its own a table is about all of them, averaged within a unit
  const own = entries.filter(({ task }) => !wanted || wanted.includes(task)).map(
    (entry) => (tasks ? entry : { ...entry, task: "" })
  );
  const means = studyMeans(own);
  const named = (regime: string) => file.regimes[regime] ?? regime;
  const groups = [...new Map(means.map(({ regime, task }) => [`${regime}\n${task}`, { regime, task }])).values()];
  if (across && tasks) {
    const [[metric, stage, written]] = show;
    const format = written === "scaled" ? "number" : written;
    const regimes = [...new Set(means.map(({ regime }) => regime))];
    const rows = regimes.flatMap((regime) =>
      arms.flatMap((name) => {
        const { arm, at } = armAt(name, keep);
        const found = means.filter((one) =>
          one.regime === regime && one.arm === arm && one.keep === at && one.stage === stage && metric in one.metrics
        );
        const cells = found.flatMap(
          ({ task, metrics: { [metric]: { mean, stderr } } }) => [[task, mean], [`${task}_stderr`, stderr]]
        );
        return found.length === 0
          ? []
          : [{ regime: named(regime), arm, ...Object.fromEntries(cells), units: found[0].n }];
      })
    );
    return table(rows, { title, maxRows: 80,
      columns: { ...(regimes.length > 1 && { regime: "text" as const }), arm: "text",
        ...Object.fromEntries(
          tasks.map((task) => [task, { title: task.replaceAll("_", " "), format, error: `${task}_stderr` }]),
        ), units: "count" } });
  }
  const rows = groups.flatMap(({ regime, task }) =>
    arms.flatMap((name) => {
      const { arm, at } = armAt(name, keep);
      const found = means.filter((one) =>
        one.regime === regime && one.task === task && one.arm === arm && one.keep === at
      );
      if (found.length === 0) return [];
      const cells = show.flatMap(([metric, stage, format]) => {
        const value = found.find((one) => one.stage === stage && metric in one.metrics)?.metrics[metric];
        const by = format === "scaled" ? file.measures[metric].factor : 1;
        return [[`${metric} ${stage}`, value && by * value.mean], [`${metric} ${stage}_stderr`,
          value && by * value.stderr]];
      });
      return [{ regime: named(regime), task: task.replaceAll("_", " "), arm, experts: at, units: found[0].n,
        parameters: found[0].about.parameters as number, ...Object.fromEntries(cells) }];
    })
  );
  return table(rows, { title, maxRows: 80, columns: {
    ...(new Set(groups.map(({ regime }) => regime)).size > 1 && { regime: "text" as const }),
    ...(tasks && { task: "text" as const }),
    arm: "text",
    experts: "count",
    ...Object.fromEntries(show.map(([metric, stage, format]) => [`${metric} ${stage}`, {
      title: `${file.measures[metric]?.by ?? metric.replaceAll("_", " ")}, ${stage}`,
      format: format === "scaled" ? "number" as const : format,
      error: `${metric} ${stage}_stderr`,
    }])),
    parameters: "count",
    units: "count",
  } });
}

/** @example armAt("full 16", 4)  // { arm: "full", at: 16 } */
function armAt(name: string, keep: number): { arm: string; at: number } {
  const [, arm, at] = /^(.*?)(?: (\d+(?:\.\d+)?))?$/.exec(name)!;
  return { arm, at: Number(at ?? keep) };
}
