import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "../kernel-spec.js";
import { type Notebook, type NotebookCell, sourceOf, tagsOf } from "../notebook.js";
import { escapeHtml } from "./escape.js";
import { highlight } from "./highlight.js";
import { markdownToHtml } from "./markdown.js";
import { hasChart, outputToHtml } from "./outputs.js";
import { STYLE } from "./style.js";

/** Tells a page that moelab wrote from others. */
export const GENERATOR = "<meta name=\"generator\" content=\"moelab\">";

/**
 * An executed notebook as one HTML page that reads nothing from elsewhere: pictures and the code for live charts are in
 * it.
 *
 * @param title for the browser's tab; default the first heading
 */
export function notebookToHtml(notebook: Notebook, title: string): string {
  const charts = notebook.cells.some((cell) => cell.outputs?.some(hasChart));
  const language = String(
    notebook.metadata.language_info?.name ?? notebook.metadata.kernelspec?.language ?? "typescript",
  );
  const heading = notebook.cells.map(
    (cell) => (cell.cell_type === "markdown" ? /^#\s+(.+)$/m.exec(sourceOf(cell))?.[1] : undefined)
  ).find(Boolean);
  const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src "
    + `'unsafe-inline'${charts ? " 'unsafe-eval'" : ""}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
${GENERATOR}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeHtml(heading ?? title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header>${provenance(notebook, title)}</header>
${notebook.cells.map((cell) => cellToHtml(cell, language)).join("\n")}
</main>
${charts ? `<script>${liveCharts()}</script>` : ""}
</body>
</html>
`;
}

function cellToHtml(cell: NotebookCell, language: string): string {
  const source = sourceOf(cell);
  if (cell.cell_type === "markdown") return `<section class="cell markdown">${markdownToHtml(source)}</section>`;
  if (cell.cell_type === "raw" || tagsOf(cell).includes("remove-cell")) return "";
  const count = cell.execution_count == null ? "" : `<span class="count">[${cell.execution_count}]</span>`;
  const input = source.trim() === "" || tagsOf(cell).includes("remove-input")
    ? ""
    : `<div class="input">${count}<pre><code>${highlight(source, language)}</code></pre></div>`;
  const outputs = (cell.outputs ?? []).map(outputToHtml).filter(Boolean);
  return `<section class="cell `
    + `code">${input}${outputs.length ? `<div class="output">${outputs.join("\n")}</div>` : ""}</section>`;
}

function provenance({ metadata }: Notebook, title: string): string {
  const run = metadata.moelab ?? {};
  const parts = [title, metadata.kernelspec?.display_name, run.date && `executed ${run.date}`,
    run.version && `moelab ${run.version}`].filter(Boolean).map((part) => escapeHtml(String(part)));
  return parts.join(" · ") + (run.stopped ? ` · <span class="stopped">${escapeHtml(String(run.stopped))}</span>` : "");
}

/** Vega and Vega-Lite, built with the package; without them the pictures stay. */
function liveCharts(): string {
  const file = join(packageFolder(), "dist/kernel/live-charts.js");
  return existsSync(file) ? readFileSync(file, "utf8").replace(/<\/script/gi, "<\\/script") : "";
}
