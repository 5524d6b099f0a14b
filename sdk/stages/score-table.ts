import type { ColumnOptions } from "../view/column.js";
import { type Table, table } from "../view/table.js";
import type { NamedScore, TaskScore } from "./evaluation.js";

/** How metrics are written; others stand under their own name as plain numbers. */
const WORDS: Readonly<Record<string, ColumnOptions>> = {
  exact_match: { title: "exact match", format: "percent" },
  nll: { title: "nats per token", format: "number" },
  kl: { title: "KL to loaded (nats)", format: "number" },
};
/** numbers that say nothing where another is the headline, or little beside it */
const BESIDE = ["exact_match", "token_accuracy"];

/** A model with its scores, as one line of a table. */
export interface ScoredModel {
  name: string;
  scores: readonly TaskScore[];
  parameters: number;
  sizeBytes: number;
  flopsPerToken: number;
  /** of the headline to the first model, written out */
  difference?: string;
}

/**
 * Models by their scores, the headline first, then whatever other metrics there are, then size and compute.
 *
 * @param head heading of the names
 * @param byTask one line for each task; false: the mean over tasks
 */
export function scoreTable(
  models: readonly ScoredModel[],
  { title, head, byTask, against }: { title: string; head: string; byTask: boolean; against?: string },
): Table {
  const all = models.flatMap(({ scores }) => scores);
  const headlines = [...new Set(all.map(({ headline }) => headline))];
  const others = [...new Set(all.flatMap(({ metrics }) => Object.keys(metrics)))].filter((metric) =>
    !headlines.includes(metric) && !BESIDE.includes(metric)
  );
  const shown = [...headlines, ...others];
  const several = byTask && models.some(({ scores }) => scores.length > 1);
  const rows = models.flatMap(({ name, scores, parameters, sizeBytes: size, flopsPerToken: flops, difference = "" }) =>
    (byTask ? scores.map((score) => [score]) : [scores]).map((of) => ({
      [head]: name,
      ...(several && { task: of[0].task }),
      ...Object.fromEntries(shown.flatMap((metric) => cellsOf(metric, of))),
      difference,
      parameters,
      size,
      flops,
    }))
  );
  const column = (metric: string) => [metric, WORDS[metric] ?? { format: "number" as const }] as const;
  return table(rows, {
    title,
    columns: {
      [head]: "text",
      ...(several && { task: "text" }),
      ...Object.fromEntries(headlines.map(column)),
      ...(against !== undefined
        && { difference: { title: `${against} (${unitOf(headlines[0])}95 %)`, format: "text" } }),
      ...Object.fromEntries(others.map(column)),
      parameters: "count",
      size: { title: "size in float16", format: "bytes" },
      flops: { title: "FLOPs per token", format: "count" },
    },
  });
}

/** A metric's heading for an axis, with what its numbers are multiplied by there. */
export function axisOf(metric: string): { title: string; scale: number } {
  const { title = metric, format } = WORDS[metric] ?? {};
  return format === "percent" ? { title: `${title} (%)`, scale: 100 } : { title, scale: 1 };
}

/** 95 % interval of a score: its own, or by its standard error. */
export function intervalOf({ value, stderr, interval }: NamedScore): { low?: number; high?: number } {
  return interval ?? (Number.isFinite(stderr) ? { low: value - 1.96 * stderr, high: value + 1.96 * stderr } : {});
}

function unitOf(metric: string): string {
  return WORDS[metric]?.format === "percent" ? "points, " : "";
}

/** mean over tasks and its standard error; a model that nothing was done to is at no distance of itself */
function cellsOf(metric: string, scores: readonly TaskScore[]): [string, number | undefined][] {
  const found = scores.flatMap(({ metrics }) => metrics[metric] ?? []);
  if (found.length === 0) return metric === "kl" ? [["kl", 0]] : [];
  const sum = (of: (score: NamedScore) => number) => found.reduce((total, score) => total + of(score), 0);
  return [[metric, sum(({ value }) => value) / found.length], [`${metric}_stderr`,
    Math.sqrt(sum(({ stderr }) => stderr ** 2)) / found.length]];
}
