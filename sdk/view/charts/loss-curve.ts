import { formatNumber } from "../../format.js";
import { Chart, chart, type ChartSpec } from "../chart.js";
import { PALETTE } from "../theme.js";
import { thinLine } from "../thin-line.js";
import type { ChartWords } from "./chart-words.js";

export interface LossPoint {
  step: number;
  loss: number;
}

export interface LossCurveOptions extends ChartWords {
  /** default "linear" */
  scale?: "linear" | "log";
  /** title of the vertical axis with its unit; default "loss (nats per token)" */
  loss?: string;
}

/**
 * Draws the loss of one or several runs over training steps; a long run is thinned to 400 points that keep its peaks.
 */
export function lossCurve(
  runs: Readonly<Record<string, readonly LossPoint[]>>,
  { scale, loss, ...words }: LossCurveOptions = {},
): Chart {
  return chart(lossCurveSpec(runs, { scale, loss }), { title: "Training loss", finding: ends(runs), ...words });
}

export function lossCurveSpec(
  runs: Readonly<Record<string, readonly LossPoint[]>>,
  { scale = "linear", loss = "loss (nats per token)" }: LossCurveOptions = {},
): ChartSpec {
  const names = Object.keys(runs);
  const values = names.flatMap((run) => {
    const finite = runs[run].filter((point) => Number.isFinite(point.loss) && (scale === "linear" || point.loss > 0));
    return thinLine(finite.map(({ step, loss }) => ({ x: step, y: loss })), 400).map(({ x, y }) => ({ run, step: x,
      loss: y })
    );
  });
  return {
    width: 560,
    height: 280,
    data: { values },
    mark: { type: "line", strokeWidth: 1.5, tooltip: true },
    encoding: {
      x: { field: "step", type: "quantitative", title: "step", scale: { nice: false }, axis: { tickCount: 8 } },
      y: { field: "loss", type: "quantitative", title: loss,
        scale: { type: scale, ...(scale === "linear" ? { zero: false } : {}) } },
      color: { field: "run", type: "nominal", sort: names, title: null, scale: { domain: names, range: [...PALETTE] },
        ...(names.length === 1 ? { legend: null } : {}) },
      strokeDash: { field: "run", type: "nominal", sort: names,
        scale: { domain: names, range: names.map((_, i) => (i % 2 === 0 ? [1, 0] : [6, 3])) },
        ...(names.length === 1 ? { legend: null } : {}) },
    },
  };
}

function ends(runs: Readonly<Record<string, readonly LossPoint[]>>): string {
  const said = Object.entries(runs).filter(([, points]) => points.length > 0).map(([run, points]) => {
    const last = points[points.length - 1];
    return `${run} from ${formatNumber(points[0].loss)} to ${formatNumber(last.loss)} in `
      + `${last.step.toLocaleString("en")} steps`;
  });
  return said.length > 0 ? `Loss: ${said.join("; ")}.` : "No step was taken.";
}
