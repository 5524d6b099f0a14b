import { formatDuration, formatPercent } from "../../format.js";
import type { Simulation } from "../../offload/simulate.js";
import { Chart, chart, type ChartSpec } from "../chart.js";
import { PALETTE } from "../theme.js";
import type { ChartWords } from "./chart-words.js";

export interface TimelineOptions extends ChartWords {
  /** which steps; default the last four */
  steps?: { from: number; to: number };
  /** experts of a layer, so that loads are named by layer and expert */
  experts?: number;
}

/**
 * Draws what computes and what loads when: lanes for the processor and the link, waits between. Loads that stand under
 * computing cost nothing; gaps above are waits.
 *
 * @param run of `moe.traces.simulate`
 */
export function timeline(run: Simulation, { steps, experts, ...words }: TimelineOptions = {}): Chart {
  return chart(timelineSpec(run, { steps, experts }), { title: "Computing and loading", finding: finding(run),
    ...words });
}

export function timelineSpec(run: Simulation, { steps, experts }: TimelineOptions): ChartSpec {
  const last = run.stepEndMs.length, { from, to } = steps ?? { from: Math.max(0, last - 4), to: last };
  const startMs = from === 0 ? 0 : run.stepEndMs[from - 1], endMs = run.stepEndMs[Math.min(to, last) - 1];
  const bars: { lane: string; what: string; start: number; end: number; name: string }[] = [];
  const add = (lane: string, what: string, start: number, end: number, name: string) => {
    if (end > startMs && start < endMs && end > start)
      bars.push({ lane, what, start: Math.max(start, startMs), end: Math.min(end, endMs), name });
  };
  for (const { layer, step, gateMs, attentionMs, spans } of run.layers) {
    const name = `step ${step}, layer ${layer}`;
    add("processor", "attention, gate", gateMs - attentionMs, gateMs, name);
    for (const { key, startMs, endMs } of spans) add("processor", "experts", startMs, endMs, `${name}, ${called(key)}`);
  }
  for (const { key, startMs, endMs, kind } of run.loads)
    add("link", kind === "demand" ? "load, asked for" : "load, ahead", startMs, endMs, called(key));
  const kinds = ["attention, gate", "experts", "load, asked for", "load, ahead"];
  return {
    width: 640,
    height: 110,
    data: { values: bars },
    mark: { type: "bar", height: 26, tooltip: true, stroke: null },
    encoding: {
      y: { field: "lane", type: "nominal", sort: ["processor", "link"], title: null,
        axis: { ticks: false, domain: false } },
      x: { field: "start", type: "quantitative", title: "time (ms)", scale: { zero: false, nice: false } },
      x2: { field: "end" },
      color: { field: "what", type: "nominal", sort: kinds, title: null,
        scale: { domain: kinds, range: PALETTE.slice(0, 4) } },
      tooltip: [{ field: "name", title: "what" }, { field: "start", title: "from (ms)", format: ".2f" }, { field: "end",
        title: "to (ms)", format: ".2f" }],
    },
  };

  function called(key: number): string {
    return experts ? `layer ${Math.floor(key / experts)}, expert ${key % experts}` : `expert ${key}`;
  }
}

function finding({ ms, stepEndMs }: Simulation): string {
  const waits = ms.demandWait + ms.lateWait;
  return `${formatDuration(ms.total / stepEndMs.length)} a step, ${
    formatPercent(waits / ms.total)
  } of it waiting for experts.`;
}
