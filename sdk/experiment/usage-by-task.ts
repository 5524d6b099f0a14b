import { mean, type StudyResults } from "../evaluate/index.js";
import { effectiveExperts } from "../statistics/effective-experts.js";
import { type Chart, charts, type Table, table } from "../view/index.js";

/**
 * How unevenly experts are used, by task, from the usage that units `MODEL.TASK-NUMBER` hold: a map of the first unit
 * of every task, and the experts in effect (1 / sum of squared shares) of every layer, means over units.
 *
 * @param kinds what each task is; units of other tasks are left out
 */
export function usageByTask(runs: StudyResults["runs"], kinds: Readonly<Record<string, string>>): [Chart, Table] {
  const taskOf = (run: string) => /\.(.+)-\d+$/.exec(run)?.[1] ?? "";
  const own = runs.filter(({ run, measurements }) => taskOf(run) in kinds && measurements.usage);
  const usage = (run: (typeof own)[number]) => run.measurements.usage as Record<string, number[]>;
  const firsts = Object.keys(kinds).flatMap((task) => own.find(({ run }) => taskOf(run) === task) ?? []);
  const map = charts.usageHeatMap(
    firsts.map((run) => ({ task: taskOf(run.run),
      layers: Object.entries(usage(run)).map(([layer, shares]) => ({ layer, shares })) })
    ),
  );
  const names = [...new Set(own.map(({ run }) => run.replace(/-\d+$/, "")))];
  const rows = names.map((name) => {
    const units = own.filter(({ run }) => run.replace(/-\d+$/, "") === name);
    return { "model and task": name, kind: kinds[taskOf(units[0].run)], units: units.length,
      ...Object.fromEntries(
        Object.keys(usage(units[0])).map((layer) => [layer, mean(units.map((unit) =>
          effectiveExperts(usage(unit)[layer])
        )).toFixed(1)]),
      ) };
  });
  return [map, table(rows, { title: "experts in effect: means over units", maxRows: 60 })];
}
