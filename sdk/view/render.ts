import type { Config, TopLevelSpec } from "vega-lite";
import { MoeError } from "../errors.js";
import { CHART_FONT, fontFiles, textWidth } from "./chart-font.js";

export interface RenderOptions {
  /** default white, because a picture cannot know the page it will stand on */
  background?: string;
  /** a theme: laid under the spec's own config, as Vega's embedder does */
  config?: Config;
}

export interface PngOptions extends RenderOptions {
  /** pixels per unit of the spec; default 2, for dense screens */
  scale?: number;
}

/** A chart as a picture; width and height in units of the spec. */
export interface Picture {
  png: Buffer;
  width: number;
  height: number;
}

/**
 * Draws a Vega-Lite spec as SVG, with Vega 6 and without a browser. Data must be in the spec: nothing is fetched.
 *
 * @throws MoeError `chart-invalid` with what Vega-Lite says
 */
export async function renderSvg(
  spec: TopLevelSpec,
  { background = "white", config = {} }: RenderOptions = {},
): Promise<string> {
  // both are ES modules, vega with a top-level await, which stock tslab cannot load but through import()
  const [vega, vegaLite] = await Promise.all([import("vega"), import("vega-lite")]);
  Object.assign((vega as unknown as { textMetrics: object }).textMetrics, { width: measured });
  const problems: string[] = [];
  const note = (...words: readonly unknown[]) => void problems.push(words.join(" "));
  const logger = { level: () => logger, error: (...words: readonly unknown[]) => (note(...words), logger),
    warn: () => logger, info: () => logger, debug: () => logger };
  try {
    const compiled = vegaLite.compile({ ...spec, background }, { config: { font: CHART_FONT, ...config },
      logger: logger as never });
    const view = new vega.View(vega.parse(compiled.spec), { renderer: "none", loader: closedLoader(vega.loader(), note),
      logger: logger as never });
    try {
      const svg = await view.toSVG();
      if (problems.length > 0) throw new Error(problems[0]);
      return svg;
    } finally {
      view.finalize();
    }
  } catch (error) {
    throw new MoeError("chart-invalid",
      `chart: Vega-Lite refuses the spec: ${(error as Error).message}. Try it at `
        + "https://vega.github.io/editor with its data inline.", { cause: error });
  }
}

/** Draws a Vega-Lite spec as PNG, with a font of our own: a host without fonts would give labels without ink. */
export async function renderPng(spec: TopLevelSpec, { scale = 2, ...options }: PngOptions = {}): Promise<Picture> {
  const svg = await renderSvg(spec, options);
  const { Resvg } = await import("@resvg/resvg-js");
  // loading the host's fonts is slow and its result differs by host, so only for characters that our font lacks
  const loadSystemFonts = /[^\u0000-\u024f\u2010-\u2044\u2202-\u2265]/.test(svg);
  const picture = new Resvg(svg, { fitTo: { mode: "zoom", value: scale },
    font: { loadSystemFonts, fontFiles: fontFiles(), defaultFontFamily: CHART_FONT, sansSerifFamily: CHART_FONT } });
  return { png: picture.render().asPng(), width: Math.round(picture.width), height: Math.round(picture.height) };
}

/** Vega guesses text widths where there is no canvas, half as wide again; it takes a function that measures. */
function measured(item: { fontSize?: number; fontWeight?: string | number; limit?: number }, text: unknown): number {
  const bold = item.fontWeight === "bold" || Number(item.fontWeight) >= 600;
  return Math.min(textWidth(String(text ?? ""), item.fontSize ?? 11, bold), item.limit || Infinity);
}

/** A loader that fetches nothing. Vega draws on without the data, so what was refused is noted. */
function closedLoader<L extends { load: unknown }>(loader: L, note: (words: string) => void): L {
  const load = (uri: string) => {
    note(`data from ${uri} is not loaded; accepted is data.values`);
    return Promise.reject(new Error("not loaded"));
  };
  return Object.assign(loader, { load });
}
