import { formatNumber } from "../../format.js";
import { textWidth } from "../chart-font.js";
import { Chart, chart, type ChartSpec } from "../chart.js";
import { PALETTE } from "../theme.js";
import type { ChartWords } from "./chart-words.js";
import { scaleOfBars } from "./scale-of-bars.js";

export interface LayerValue {
  /** canonical layer id */
  layer: string;
  value: number;
  /** values of one layer with different series stand side by side */
  series?: string;
}

export interface BarsByLayerOptions extends ChartWords {
  /** what the values are, with their unit: the title of the vertical axis */
  value: string;
}

/**
 * Draws one value a layer as bars, in running order: experts that remain, bytes, effective experts, error. Several
 * values of one layer and series are averaged.
 */
export function barsByLayer(given: readonly LayerValue[], { value, ...words }: BarsByLayerOptions): Chart {
  const values = averaged(given);
  const capital = `${value.slice(0, 1).toUpperCase()}${value.slice(1)}`;
  return chart(barsByLayerSpec(values, { value }), { title: `${capital} by layer`, finding: extremes(values, capital),
    ...words });
}

export function barsByLayerSpec(values: readonly LayerValue[], { value }: BarsByLayerOptions): ChartSpec {
  const layers = [...new Set(values.map(({ layer }) => layer))];
  const series = [...new Set(values.flatMap(({ series }) => series ?? []))];
  const color = { field: "series", type: "nominal", sort: series, title: null,
    scale: { domain: series, range: [...PALETTE] } };
  const width = Math.max(240, Math.min(680, layers.length * Math.max(34, 16 * series.length + 10)));
  const long = layers.some((layer) => textWidth(layer, 12) > width / layers.length);
  return {
    width,
    height: 220,
    data: { values },
    mark: { type: "bar", tooltip: true },
    encoding: {
      x: { field: "layer", type: "ordinal", sort: layers, title: "layer",
        axis: { labelAngle: long ? -90 : 0, labelOverlap: true, ticks: false } },
      y: { field: "value", type: "quantitative", title: value, stack: null,
        ...scaleOfBars(values.map(({ value }) => value)) },
      ...(series.length > 0 ? { color, xOffset: { field: "series", sort: series } } : {}),
    },
  };
}

function extremes(values: readonly LayerValue[], what: string): string {
  if (values.length === 0) return `${what}: no layer was given.`;
  const name = ({ layer, series }: LayerValue) => `${layer}${series ? ` (${series})` : ""}`;
  const [least, most] = [values.reduce((a, b) => (b.value < a.value ? b : a)),
    values.reduce((a, b) => (b.value > a.value ? b : a))];
  if (least.value === most.value) return `${what}: ${formatNumber(least.value)} in every layer.`;
  return `${what}: from ${formatNumber(least.value)} in ${name(least)} to ${formatNumber(most.value)} in `
    + `${name(most)}.`;
}

function averaged(values: readonly LayerValue[]): LayerValue[] {
  const groups = new Map<string, LayerValue[]>();
  for (const one of values) {
    const key = `${one.layer}\n${one.series ?? ""}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].map((own) => ({ ...own[0],
    value: own.reduce((sum, { value }) => sum + value, 0) / own.length })
  );
}
