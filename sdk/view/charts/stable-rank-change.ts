import { fixed } from "../../format.js";
import { Chart, chart, type ChartSpec } from "../chart.js";
import { GREY, PALETTE } from "../theme.js";
import type { ChartWords } from "./chart-words.js";

/** (after - before) / before of the stable rank of one merged matrix. */
export interface RankChange {
  arm: string;
  /** layer, expert and matrix, for the tooltip */
  matrix?: string;
  change: number;
}

/**
 * Draws the relative change of stable rank, one line a matrix and one circle the mean, for each arm: a merge that
 * lowers it leaves a matrix that is easier to compress.
 */
export function stableRankChange(changes: readonly RankChange[], words: ChartWords = {}): Chart {
  return chart(stableRankChangeSpec(changes), { title: "Change of stable rank", finding: means(changes), ...words });
}

export function stableRankChangeSpec(changes: readonly RankChange[]): ChartSpec {
  const arms = [...new Set(changes.map(({ arm }) => arm))];
  const x = { field: "percent", type: "quantitative", title: "change of stable rank (%)" };
  const y = { field: "arm", type: "nominal", sort: arms, title: null,
    axis: { ticks: false, domain: false, labelPadding: 8 } };
  const color = { field: "arm", type: "nominal", sort: arms, legend: null,
    scale: { domain: arms, range: [...PALETTE] } };
  return {
    title: { text: "Change of stable rank", subtitle: "A line is a matrix, a circle the mean of an arm." },
    width: 480,
    height: 40 * arms.length,
    data: { values: changes.map((change) => ({ ...change, percent: change.change * 100 })) },
    layer: [{ data: { values: [{ zero: 0 }] }, mark: { type: "rule", stroke: GREY, strokeDash: [4, 3] },
      encoding: { x: { ...x, field: "zero" } } }, { mark: { type: "tick", thickness: 1.5, size: 22, opacity: 0.8 },
      encoding: { x, y, color,
        tooltip: [{ field: "arm" },
          ...(changes.some(({ matrix }) => matrix !== undefined) ? [{ field: "matrix" }] : []), { field: "percent",
          format: ".1f", title: "change (%)" }] } }, {
      mark: { type: "point", filled: true, opacity: 1, size: 130, stroke: "white", strokeWidth: 1.5 },
      encoding: { x: { ...x, aggregate: "mean" }, y, color },
    }],
  };
}

function means(changes: readonly RankChange[]): string {
  const arms = [...new Set(changes.map(({ arm }) => arm))];
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const said = arms.map((arm) =>
    `${arm} ${fixed(mean(changes.filter((change) => change.arm === arm).map(({ change }) => change * 100)), 1)} %`
  );
  return said.length > 0 ? `Mean change of stable rank: ${said.join(", ")}.` : "No matrix was merged.";
}
