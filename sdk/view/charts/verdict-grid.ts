import { errorDigits, fixed } from "../../format.js";
import { Chart, chart, type ChartSpec } from "../chart.js";
import { GREY, LABEL_MARK } from "../theme.js";
import { brokenLines } from "./broken-lines.js";
import type { ChartWords } from "./chart-words.js";
import type { Verdict } from "./interval-forest.js";

/** A claim as it was judged on one measure in one regime. */
export interface VerdictCell {
  claim: string;
  /** with the unit of the difference */
  measure: string;
  regime?: string;
  difference: number;
  low: number;
  high: number;
  verdict: Verdict;
}

const SIGN: Record<Verdict, string> = { "reproduced": "✓", "not resolved": "·", "refuted": "✗" };

/**
 * Draws verdicts as a grid: claims down, measures and their regimes across; in each cell a sign, the difference and its
 * interval.
 */
export function verdictGrid(cells: readonly VerdictCell[], words: ChartWords = {}): Chart {
  return chart(verdictGridSpec(cells), { title: "Verdicts", finding: counts(cells), ...words });
}

export function verdictGridSpec(cells: readonly VerdictCell[]): ChartSpec {
  const columnOf = ({ measure, regime }: VerdictCell) =>
    [...brokenLines(measure, 14), ...(regime ? brokenLines(regime, 14) : [])].join("\n");
  const labelOf = ({ claim }: VerdictCell) => brokenLines(claim, 36).join("\n");
  const [columns, claims] = [columnOf, labelOf].map((of) => [...new Set(cells.map(of))]);
  const values = cells.map((cell) => {
    const digits = Math.min(3, errorDigits((cell.high - cell.low) / 4 || Math.abs(cell.difference) || 1));
    const signed = (value: number) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${fixed(Math.abs(value), digits)}`;
    return { ...cell, label: labelOf(cell), column: columnOf(cell),
      mean: `${SIGN[cell.verdict]} ${signed(cell.difference)}`,
      interval: Number.isFinite(cell.low) ? `${signed(cell.low)} to ${signed(cell.high)}` : "one unit alone" };
  });
  const most = (labels: string[]) => Math.max(1, ...labels.map((label) => label.split("\n").length));
  const axis = { title: null, ticks: false, domain: false, grid: false, labelLimit: 0, labelLineHeight: 14,
    labelExpr: "split(datum.label, '\\n')" };
  // Vega writes the lines of a label downwards from where it stands
  const x = { field: "column", type: "nominal", sort: columns,
    axis: { ...axis, orient: "top", labelAngle: 0, labelPadding: 8 + 14 * (most(columns) - 1), labelFontSize: 11 } };
  const y = { field: "label", type: "nominal", sort: claims,
    axis: { ...axis, labelPadding: 8, labelBaseline: "middle",
      labelOffset: { expr: "-7 * (length(split(datum.label, '\\n')) - 1)" } } };
  const verdicts: Verdict[] = ["reproduced", "not resolved", "refuted"];
  const text = (field: string, dy: number, fontSize: number) => ({
    mark: { ...LABEL_MARK, align: "center", baseline: "middle", dy, fontSize },
    encoding: { x, y, text: { field, type: "nominal" } },
  });
  return {
    width: 90 * columns.length,
    height: (22 + 14 * most(claims)) * claims.length,
    data: { values },
    layer: [{ mark: { type: "rect", fillOpacity: 0.3, stroke: GREY, strokeWidth: 0.5, strokeOpacity: 0.4 },
      encoding: { x, y,
        color: { field: "verdict", type: "nominal", title: null,
          scale: { domain: verdicts, range: ["#009E73", GREY, "#D55E00"] } },
        tooltip: [{ field: "claim" }, { field: "measure" }, { field: "regime" }, { field: "mean", title: "difference" },
          { field: "interval", title: "95 % interval" }, { field: "verdict" }] } }, text("mean", -7, 12),
      text("interval", 8, 10)],
    config: { legend: { orient: "bottom" }, scale: { bandPaddingInner: 0.03 } },
  };
}

function counts(cells: readonly VerdictCell[]): string {
  const count = (verdict: Verdict) => cells.filter((cell) => cell.verdict === verdict).length;
  return `Of ${new Set(cells.map(({ claim }) => claim)).size} claims in ${cells.length} cells: ${count("reproduced")} `
    + `reproduced, ${count("not resolved")} not resolved, ${count("refuted")} refuted.`;
}
