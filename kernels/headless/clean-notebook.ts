import type { Notebook } from "./notebook.js";

/** Metadata that says something about the notebook; the rest says when and where it was last run or looked at. */
const NOTEBOOK_KEYS = ["kernelspec", "language_info", "title", "authors", "moelab"];
const CELL_KEYS = ["tags", "jupyter", "editable", "deletable", "slideshow", "nbgrader"];

/**
 * Removes from a notebook what changes with every run although its content does not: times of execution, positions of
 * scroll bars, versions of the language, ids of displays.
 *
 * @param outputs also removes outputs and execution counts
 */
export function cleanNotebook(notebook: Notebook, { outputs = false } = {}): void {
  notebook.metadata = pick(notebook.metadata, NOTEBOOK_KEYS);
  if (notebook.metadata.language_info) delete notebook.metadata.language_info.version;
  if (notebook.metadata.moelab) delete notebook.metadata.moelab.date;
  for (const cell of notebook.cells) {
    cell.metadata = pick(cell.metadata, CELL_KEYS);
    if (cell.cell_type !== "code") continue;
    if (outputs) Object.assign(cell, { outputs: [], execution_count: null });
    for (const output of cell.outputs ?? []) delete output.transient;
  }
}

function pick(metadata: Record<string, any>, keys: string[]): Record<string, any> {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => keys.includes(key)));
}
