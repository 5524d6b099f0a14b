import { errorDigits, fixed } from "../../format.js";
import { Chart, chart, type ChartSpec } from "../chart.js";
import { GREY, LABEL_MARK } from "../theme.js";
import { brokenLines } from "./broken-lines.js";
import type { ChartWords } from "./chart-words.js";

export type Verdict = "reproduced" | "not resolved" | "refuted";

/** A paired difference with its 95 % interval. */
export interface IntervalRow {
  claim: string;
  difference: number;
  low: number;
  high: number;
  /** default by the interval: all of it above 0 reproduced, all below refuted */
  verdict?: Verdict;
}

export interface IntervalForestOptions extends ChartWords {
  /** title of the axis with its unit; default "difference, 95 % interval" */
  difference?: string;
}

/**
 * Draws differences with their intervals around zero, one row a claim in the order given, coloured and shaped by
 * verdict.
 */
export function intervalForest(
  rows: readonly IntervalRow[],
  { difference, ...words }: IntervalForestOptions = {},
): Chart {
  return chart(intervalForestSpec(rows, { difference }), { title: "Paired differences", finding: verdictCounts(rows),
    ...words });
}

export function intervalForestSpec(
  rows: readonly IntervalRow[],
  { difference = "difference, 95 % interval" }: IntervalForestOptions = {},
): ChartSpec {
  const digits = finestDigits(rows);
  // lines of a claim are apart by a line break, which the axis turns into lines
  const values = rows.map((row) => ({ ...row, label: brokenLines(row.claim).join("\n"), verdict: verdictOf(row),
    written: written(row, digits) })
  );
  const labels = values.map(({ label }) => label);
  const mostLines = Math.max(1, ...labels.map((label) => label.split("\n").length));
  const verdicts: Verdict[] = ["reproduced", "not resolved", "refuted"];
  const width = 360;
  const x = { type: "quantitative", title: difference };
  const y = { field: "label", type: "nominal", sort: labels, title: null,
    axis: { ticks: false, domain: false, labelExpr: "split(datum.label, '\\n')", labelLimit: 0, labelBaseline: "middle",
      labelOffset: { expr: "-7 * (length(split(datum.label, '\\n')) - 1)" }, labelPadding: 8 } };
  const color = { field: "verdict", type: "nominal", title: null,
    scale: { domain: verdicts, range: ["#009E73", GREY, "#D55E00"] } };
  const shape = { ...color, scale: { domain: verdicts, range: ["circle", "square", "triangle-down"] } };
  return {
    width,
    height: Math.max(60, (12 + 16 * mostLines) * rows.length),
    data: { values },
    layer: [{ data: { values: [{ zero: 0 }] }, mark: { type: "rule", stroke: GREY, strokeDash: [4, 3] },
      encoding: { x: { ...x, field: "zero" } } }, { mark: { type: "rule", strokeWidth: 2 },
      encoding: { x: { ...x, field: "low" }, x2: { field: "high" }, y, color } }, {
      mark: { type: "point", filled: true, opacity: 1, size: 90 },
      encoding: { x: { ...x, field: "difference" }, y, color, shape,
        tooltip: [{ field: "claim" }, { field: "written", title: "difference" }, { field: "verdict" }] },
    }, { mark: { ...LABEL_MARK, align: "left", baseline: "middle", fontSize: 12 },
      encoding: { x: { value: width + 12 }, y, text: { field: "written", type: "nominal" } } }],
    config: { legend: { orient: "bottom" } },
  };
}

function verdictOf({ low, high, verdict }: IntervalRow): Verdict {
  return verdict ?? (low > 0 ? "reproduced" : high < 0 ? "refuted" : "not resolved");
}

function written({ difference, low, high }: IntervalRow, digits: number): string {
  const signed = (value: number) => `${value > 0 ? "+" : ""}${fixed(value, digits)}`;
  return `${signed(difference)} [${signed(low)}, ${signed(high)}]`;
}

/**
 * Decimals for all rows: what the narrowest interval leaves meaning to, so that no bound beside zero is written as
 * zero.
 */
function finestDigits(rows: readonly IntervalRow[]): number {
  return Math.max(0,
    ...rows.map(({ difference, low, high }) => errorDigits((high - low) / 4 || Math.abs(difference) || 1)));
}

function verdictCounts(rows: readonly IntervalRow[]): string {
  const count = (verdict: Verdict) => rows.filter((row) => verdictOf(row) === verdict).length;
  return `Of ${rows.length} claims ${count("reproduced")} reproduced, ${count("not resolved")} not resolved, `
    + `${count("refuted")} refuted.`;
}
