import type { Output } from "../notebook.js";
import { ansiToHtml } from "./ansi.js";
import { escapeHtml, escapeJson } from "./escape.js";
import { markdownToHtml } from "./markdown.js";
import { sanitize } from "./sanitize.js";

const VEGA = /^application\/vnd\.vega(lite)?\.v\d+(\.\d+)*\+json$/;

/** One output of a cell, in its best form for a page that reads nothing from elsewhere. */
export function outputToHtml(output: Output): string {
  if (output.output_type === "stream")
    return `<pre class="stream `
      + `${output.name === "stderr" ? "stderr" : "stdout"}">${ansiToHtml(text(output.text))}</pre>`;
  if (output.output_type === "error")
    return "<pre "
      + `class="error">${
        ansiToHtml((output.traceback?.length ? output.traceback : [`${output.ename}: ${output.evalue}`]).join("\n"))
      }</pre>`;
  const data: Record<string, unknown> = output.data ?? {};
  const metadata: Record<string, any> = output.metadata ?? {};
  const image = imageToHtml(data, metadata);
  const chart = Object.keys(data).find((type) => VEGA.test(type));
  if (chart) {
    // the picture stands until the live chart replaces it
    const spec = typeof data[chart] === "object" && !Array.isArray(data[chart])
      ? data[chart]
      : JSON.parse(text(data[chart]));
    const finding = data["text/plain"] === undefined
      ? ""
      : `<figcaption>${escapeHtml(text(data["text/plain"]))}</figcaption>`;
    return `<figure class="chart"><div class="picture">${image}</div><script type="application/json" `
      + `class="spec">${escapeJson(spec)}</script>${finding}</figure>`;
  }
  if ("text/html" in data) return `<div class="html">${sanitize(text(data["text/html"]))}</div>`;
  if ("text/markdown" in data) return `<div class="html">${markdownToHtml(text(data["text/markdown"]))}</div>`;
  if ("image/svg+xml" in data)
    return `<div class="picture"><img alt="${escapeHtml(text(data["text/plain"] ?? ""))}" `
      + `src="data:image/svg+xml;base64,${Buffer.from(text(data["image/svg+xml"])).toString("base64")}"></div>`;
  if (image) return `<div class="picture">${image}</div>`;
  if ("text/latex" in data) return markdownToHtml(text(data["text/latex"]));
  if ("application/json" in data)
    return `<pre class="value">${escapeHtml(JSON.stringify(data["application/json"], null, 2))}</pre>`;
  return "text/plain" in data ? `<pre class="value">${ansiToHtml(text(data["text/plain"]))}</pre>` : "";
}

/** Whether a page with this output needs the code that draws charts. */
export function hasChart(output: Output): boolean {
  return Object.keys(output.data ?? {}).some((type) => VEGA.test(type));
}

function imageToHtml(data: Record<string, unknown>, metadata: Record<string, any>): string {
  const type = ["image/png", "image/jpeg", "image/gif"].find((candidate) => candidate in data);
  if (!type) return "";
  const { width, height, alt = text(data["text/plain"] ?? "figure") } = metadata[type] ?? {};
  const size = [["width", width], ["height", height]].map(
    ([name, value]) => (Number.isFinite(value) ? ` ${name}="${value}"` : "")
  ).join("");
  return `<img src="data:${type};base64,${text(data[type]).replace(/[^A-Za-z0-9+/=]/g, "")}" `
    + `alt="${escapeHtml(String(alt))}"${size}>`;
}

function text(value: unknown): string {
  return Array.isArray(value) ? value.join("") : typeof value === "string" ? value : JSON.stringify(value) ?? "";
}
