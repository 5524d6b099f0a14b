import { formatBytes, formatCount } from "../../format.js";
import { Chart, chart, type ChartSpec } from "../chart.js";
import { GREY, LABEL_MARK, PALETTE } from "../theme.js";
import type { ChartWords } from "./chart-words.js";
import { placeLabels } from "./place-labels.js";

const SHAPES = ["circle", "square", "triangle-up", "diamond", "cross"];

export interface QualityPoint {
  arm: string;
  /** parameters or bytes */
  size: number;
  quality: number;
  /** 95 % interval of the quality */
  low?: number;
  high?: number;
}

export interface QualitySizeOptions extends ChartWords {
  /** default "parameters" */
  sizeUnit?: "parameters" | "bytes";
  /** default "linear" */
  scale?: "linear" | "log";
  /** title of the vertical axis with its unit; default "quality" */
  quality?: string;
  /** the quality is a loss; default false */
  lowerIsBetter?: boolean;
}

/**
 * Draws quality against size, one point an arm with its 95 % interval; better is up, smaller is left. Arms of one size
 * are moved a few pixels to its sides, which a subtitle says; no two of up to 35 arms have both colour and shape.
 */
export function qualitySize(
  points: readonly QualityPoint[],
  { sizeUnit, scale, quality, lowerIsBetter = false, ...words }: QualitySizeOptions = {},
): Chart {
  return chart(qualitySizeSpec(points, { sizeUnit, scale, quality }), { title: "Quality against size",
    finding: bestTrade(points, sizeUnit, lowerIsBetter ? -1 : 1), ...words });
}

export function qualitySizeSpec(
  points: readonly QualityPoint[],
  { sizeUnit = "parameters", scale = "linear", quality = "quality" }: QualitySizeOptions = {},
): ChartSpec {
  const width = 520;
  const height = 320;
  const format = sizeUnit === "bytes" ? formatBytes : formatCount;
  const sizes = points.map(({ size }) => size);
  const [small, large] = [Math.min(...sizes), Math.max(...sizes)];
  const domain = scale === "log"
    ? [small / (large / small) ** 0.1 / 1.05, large * (large / small) ** 0.15 * 1.05]
    : [small - (large - small || large) * 0.1, large + (large - small || large) * 0.15];
  const ends = points.flatMap(({ quality, low = quality, high = quality }) => [low, high]);
  const [bottom, top] = [Math.min(...ends), Math.max(...ends)];
  const margin = (top - bottom || Math.abs(top) || 1) * 0.06;
  const range = [bottom - margin, top + margin];
  const toX = (size: number) =>
    width
    * (scale === "log"
      ? Math.log(size / domain[0]) / Math.log(domain[1] / domain[0])
      : (size - domain[0]) / (domain[1] - domain[0]));
  const toY = (value: number) => (height * (range[1] - value)) / (range[1] - range[0]);
  const placed = sideBySide(
    points.map((point) => ({ ...point, x: toX(point.size), y: toY(point.quality), top: toY(point.high ?? point.quality),
      bottom: toY(point.low ?? point.quality), written: format(point.size) })
    ),
  );
  const values = placeLabels(placed.map((point) => ({ ...point, x: point.x + point.shift, label: point.arm })), width,
    height);

  // billions are B for parameters, GB for bytes
  const labelExpr = sizeUnit === "bytes"
    ? "format(datum.value, '.3~s') + 'B'"
    : "replace(format(datum.value, '.3~s'), 'G', 'B')";
  const x = { field: "size", type: "quantitative", title: sizeUnit === "bytes" ? "size" : "parameters",
    scale: { type: scale, domain, nice: false, ...(scale === "linear" ? { zero: false } : {}) },
    axis: { labelExpr, tickCount: 6 } };
  const y = { type: "quantitative", title: quality, scale: { domain: range, nice: false, zero: false } };
  const arms = [...new Set(points.map(({ arm }) => arm))];
  const mark = { field: "arm", type: "nominal", sort: null, legend: null };
  const color = { ...mark, scale: { domain: arms, range: arms.map((_, i) => PALETTE[i % PALETTE.length]) } };
  // where the colours begin again another shape does, so that no two arms look alike
  const shape = { ...mark,
    scale: { domain: arms, range: arms.map((_, i) => SHAPES[Math.floor(i / PALETTE.length) % SHAPES.length]) } };
  const shift = { expr: "datum.shift" };
  const intervals = points.some(({ low }) => low !== undefined) ? [{ field: "low" }, { field: "high" }] : [];
  const tooltip = [{ field: "arm" }, { field: "quality" }, ...intervals, { field: "written", title: "size" }];
  return {
    title: { text: "Quality against size",
      ...(placed.some(({ shift }) => shift !== 0) && { subtitle: "Arms of one size stand side by side around it." }) },
    width,
    height,
    data: { values },
    layer: [{ mark: { type: "rule", strokeWidth: 1.5, xOffset: shift, x2Offset: shift },
      transform: [{ filter: "isValid(datum.low)" }],
      encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color } }, {
      mark: { type: "rule", stroke: GREY, strokeWidth: 0.75, opacity: 0.6 },
      transform: [{ filter: "datum.far" }],
      encoding: { x: { value: { expr: "datum.x" } }, x2: { value: { expr: "datum.labelX" } },
        y: { value: { expr: "datum.y" } }, y2: { value: { expr: "datum.labelY" } } },
    }, { mark: { type: "point", filled: true, opacity: 1, size: 80, xOffset: shift },
      encoding: { x, y: { ...y, field: "quality" }, color, shape, tooltip } }, {
      mark: { ...LABEL_MARK, align: { expr: "datum.align" }, baseline: "middle", fontSize: 12 },
      encoding: { x: { value: { expr: "datum.labelX" } }, y: { value: { expr: "datum.labelY" } },
        text: { field: "arm", type: "nominal" } },
    }],
  };
}

/**
 * Arms of equal size stand on one spot: they are moved a few pixels to the sides, so that no interval hides another.
 */
function sideBySide<P extends { x: number; y: number }>(points: readonly P[]): (P & { shift: number })[] {
  const near = 6;
  const groups: P[][] = [];
  for (const point of [...points].sort((a, b) => a.x - b.x || a.y - b.y)) {
    const group = groups.at(-1);
    if (group && point.x - group[0].x < near) group.push(point);
    else groups.push([point]);
  }
  return groups.flatMap((group) => {
    const step = Math.min(near, 24 / group.length);
    return group.map((point, i) => ({ ...point, shift: (i - (group.length - 1) / 2) * step }));
  });
}

function bestTrade(
  points: readonly QualityPoint[],
  sizeUnit: QualitySizeOptions["sizeUnit"] = "parameters",
  sign: 1 | -1,
): string {
  if (points.length < 2) return "Nothing to compare.";
  const say = sizeUnit === "bytes" ? formatBytes : (size: number) => `${formatCount(size)} parameters`;
  const largest = points.reduce((most, point) => (point.size > most.size ? point : most));
  const smaller = points.filter(({ size }) => size < largest.size);
  if (smaller.length === 0) return `All ${points.length} arms have ${say(largest.size)}.`;
  const best = smaller.reduce((most, point) => (sign * point.quality > sign * most.quality ? point : most));
  return `The best of the smaller arms is ${best.arm}: ${Number(best.quality.toPrecision(3))} at `
    + `${say(best.size)}, against ${Number(largest.quality.toPrecision(3))} at ${say(largest.size)} for `
    + `${largest.arm}.`;
}
