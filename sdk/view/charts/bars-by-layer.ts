import { formatNumber } from "../../format.js";
import { Chart, chart, type ChartSpec } from "../chart.js";
import { layerLabel } from "../layer-label.js";
import { PALETTE } from "../theme.js";
import type { ChartWords } from "./chart-words.js";

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
  const labels = layers.map((layer) => layerLabel(layer, layers));
  const series = [...new Set(values.flatMap(({ series }) => series ?? []))];
  const color = { field: "series", type: "nominal", sort: series, title: null,
    scale: { domain: series, range: [...PALETTE] } };
  return {
    width: Math.max(240, Math.min(680, layers.length * Math.max(34, 16 * series.length + 10))),
    height: 220,
    data: { values: values.map((row) => ({ ...row, layer: layerLabel(row.layer, layers) })) },
    mark: { type: "bar", tooltip: true },
    encoding: {
      x: { field: "layer", type: "ordinal", sort: labels, title: "layer",
        axis: { labelAngle: 0, labelOverlap: true, ticks: false } },
      y: { field: "value", type: "quantitative", title: value, stack: null },
      ...(series.length > 0 ? { color, xOffset: { field: "series", sort: series } } : {}),
    },
  };
}

function extremes(values: readonly LayerValue[], what: string): string {
  if (values.length === 0) return `${what}: no layer was given.`;
  const layers = values.map(({ layer }) => layer);
  const name = ({ layer, series }: LayerValue) => `${layerLabel(layer, layers)}${series ? ` (${series})` : ""}`;
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
