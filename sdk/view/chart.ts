import type { TopLevelSpec } from "vega-lite";
import { MoeError } from "../errors.js";
import { DISPLAY, Displayed, type MimeBundle } from "./displayable.js";
import { type Picture, type PngOptions, renderPng, renderSvg } from "./render.js";
import { CONFIG } from "./theme.js";

/** A Vega-Lite spec as written by hand; schema, size and config are added. */
export type ChartSpec = Record<string, unknown>;

export interface ChartOptions {
  /** what the chart shows, in one line: the text where no picture can be drawn */
  finding: string;
  /** stands above the chart; default the spec's own */
  title?: string;
  /** for those who cannot see it; default title and finding */
  alt?: string;
  /** rows of data that are accepted, 5,000 unless told: a page draws 12,000 in about five seconds */
  maxRows?: number;
}

/**
 * Makes a chart of a Vega-Lite spec: live in JupyterLab, a picture where no script runs, its finding in a terminal.
 *
 * @throws MoeError `chart-too-large` if the data has more than `maxRows` rows; thin a line with `thinLine`, or
 *   aggregate
 * @throws MoeError `chart-width` if a width or height is "container", which freezes JupyterLab's page
 * @example
 * chart({ mark: "bar", data: { values: [{ expert: 0, share: 0.7 }] }, encoding: { … } },
 *   { finding: "Expert 0 takes 70 % of the tokens." })
 */
export function chart(spec: ChartSpec, options: ChartOptions): Chart {
  return new Chart(spec, options);
}

export class Chart extends Displayed {
  /** what JupyterLab draws */
  readonly spec: TopLevelSpec;
  readonly finding: string;
  readonly alt: string;

  constructor(spec: ChartSpec, { finding, title, alt, maxRows = 5000 }: ChartOptions) {
    super();
    const rows = countRows(spec);
    if (rows > maxRows)
      throw new MoeError("chart-too-large",
        `chart: the data has ${rows.toLocaleString("en")} rows; accepted is up to `
          + `${maxRows.toLocaleString("en")}. Thin a line with thinLine, aggregate the rest, or raise maxRows.`);
    if (/"(width|height)":"container"/.test(JSON.stringify({ ...spec, data: undefined })))
      throw new MoeError("chart-width",
        `chart: width or height is "container"; accepted is a number, because JupyterLab's page freezes on the other.`);
    this.finding = finding.replace(/\s+/g, " ").trim();
    const heading = title ?? titleText(spec.title);
    this.alt = alt ?? (heading ? `${heading}. ${this.finding}` : this.finding);
    // a composed spec (facet, concat, repeat) takes its size from its parts
    const size = "mark" in spec || "layer" in spec ? { width: 480, height: 280 } : {};
    const { background: _, ...rest } = { ...size, ...spec,
      ...(title === undefined ? {} : { title: titled(spec.title, title) }) } as ChartSpec;
    this.spec = { $schema: "https://vega.github.io/schema/vega-lite/v5.json", ...rest,
      config: { ...CONFIG, ...(spec.config as object) } } as unknown as TopLevelSpec;
  }

  toSvg(): Promise<string> {
    return renderSvg(this.spec);
  }

  toPng(options?: PngOptions): Promise<Picture> {
    return renderPng(this.spec, options);
  }

  async [DISPLAY](): Promise<MimeBundle> {
    const { png, width, height } = await this.toPng();
    return {
      data: { "application/vnd.vegalite.v5+json": this.spec, "image/png": png.toString("base64"),
        "text/plain": this.finding },
      // without these nbconvert shows the picture at twice its size and without a description
      metadata: { "image/png": { width, height, alt: this.alt } },
    };
  }

  toText(): string {
    return this.finding;
  }
}

/** Rows of inline data, in this spec and in its parts. */
function countRows(spec: unknown): number {
  if (typeof spec !== "object" || spec === null) return 0;
  const { data, datasets, spec: inner, layer, concat, hconcat, vconcat } = spec as Record<string, any>;
  const own = [data?.values, ...Object.values(datasets ?? {})].reduce(
    (sum: number, values) => sum + (Array.isArray(values) ? values.length : 0),
    0,
  );
  return [inner, layer, concat, hconcat, vconcat].flat().reduce((sum: number, part) => sum + countRows(part), own);
}

/** The spec's title with other words: its subtitle and looks stay. */
function titled(title: unknown, text: string): unknown {
  return typeof title === "object" && title !== null && !Array.isArray(title) ? { ...title, text } : text;
}

function titleText(title: unknown): string {
  const text = typeof title === "object" && title !== null && "text" in title ? title.text : title;
  return Array.isArray(text) ? text.join(" ") : typeof text === "string" ? text : "";
}
