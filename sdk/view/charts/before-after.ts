import { formatMeanError } from "../../format.js";
import { Chart, chart, type ChartSpec } from "../chart.js";
import { GREY, LABEL_MARK, PALETTE } from "../theme.js";
import type { ChartWords } from "./chart-words.js";
import { scaleOfBars } from "./scale-of-bars.js";

/** One measured mean: of an arm, on a task. */
export interface BarValue {
  task: string;
  /** "before", "after", or a method's name */
  arm: string;
  value: number;
  /** standard error */
  error?: number;
}

export interface BeforeAfterOptions extends ChartWords {
  /** title of the vertical axis with its unit; default "score" */
  quality?: string;
}

/** Draws means with their standard errors as bars, the arms of a task side by side, in the order given. */
export function beforeAfter(bars: readonly BarValue[], { quality, ...words }: BeforeAfterOptions = {}): Chart {
  return chart(beforeAfterSpec(bars, { quality }), { title: "Before and after", finding: changes(bars), ...words });
}

export function beforeAfterSpec(bars: readonly BarValue[], { quality = "score" }: BeforeAfterOptions = {}): ChartSpec {
  const tasks = [...new Set(bars.map(({ task }) => task))];
  const arms = [...new Set(bars.map(({ arm }) => arm))];
  const values = bars.map(({ error = NaN, ...bar }) => {
    const written = formatMeanError(bar.value, error);
    return { ...bar, written, mean: written.split(" ± ")[0],
      ...(Number.isFinite(error) ? { low: bar.value - error, high: bar.value + error } : {}) };
  });
  const bar = Math.max(12, Math.min(48, Math.floor(600 / (tasks.length * (arms.length + 0.6)))));
  const width = Math.max(200, Math.round(bar * (arms.length + 0.6) * tasks.length));
  const long = tasks.some((task) => task.length * 6.5 > width / tasks.length);
  const x = { field: "task", type: "nominal", sort: tasks, title: null,
    axis: { labelAngle: long ? -35 : 0, ticks: false } };
  const offset = { field: "arm", sort: arms };
  const y = { field: "value", type: "quantitative", title: quality, stack: null,
    ...scaleOfBars(bars.flatMap(({ value, error = NaN }) => (error > 0 ? [value, error] : value))) };
  return {
    width,
    height: 260,
    data: { values },
    encoding: { x, xOffset: offset },
    layer: [
      {
        mark: { type: "bar", tooltip: true },
        encoding: { y,
          color: { field: "arm", type: "nominal", sort: arms, title: null, scale: { domain: arms, range: [...PALETTE] },
            ...(arms.length === 1 ? { legend: null } : {}) },
          tooltip: [{ field: "task" }, { field: "arm" }, { field: "written", title: "mean ± standard error" }] },
      },
      // drawn twice, wide and narrow, so that it stands out from any bar and any page
      ...[{ stroke: "white", strokeWidth: 3.5 }, { stroke: "#444", strokeWidth: 1.5 }].map((mark) => ({
        mark: { type: "rule", ...mark },
        transform: [{ filter: "isValid(datum.low)" }],
        encoding: { y: { field: "low", type: "quantitative", title: quality }, y2: { field: "high" } },
      })),
      ...(bar >= 24
        ? [{
          mark: { ...LABEL_MARK, baseline: "bottom", yOffset: -5, fontSize: 11 },
          transform: [{ calculate: "max(datum.value, isValid(datum.high) ? datum.high : datum.value, 0)", as: "top" }],
          encoding: { y: { field: "top", type: "quantitative", title: quality },
            text: { field: "mean", type: "nominal" } },
        }]
        : []),
    ],
    config: { axisX: { domainColor: GREY, grid: false } },
  };
}

function changes(bars: readonly BarValue[]): string {
  const said = [...new Set(bars.map(({ task }) => task))].map((task) => {
    const own = bars.filter((bar) => bar.task === task).map(({ arm, value, error = NaN }) =>
      `${arm} ${formatMeanError(value, error)}`
    );
    return `${task}: ${own.slice(0, 5).join(", ")}${own.length > 5 ? ` and ${own.length - 5} arms more` : ""}`;
  });
  if (said.length === 0) return "Nothing was measured.";
  return `${said.slice(0, 2).join("; ")}${said.length > 2 ? `; and ${said.length - 2} tasks more` : ""}.`;
}
