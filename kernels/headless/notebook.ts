import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { MoeError } from "../../sdk/errors.js";
import { writeWhole, type WriteWholeOptions } from "../../sdk/files/write-whole.js";

/** A notebook as nbformat 4 has it on disk. Unknown fields are kept. */
export interface Notebook {
  cells: NotebookCell[];
  metadata: Record<string, any>;
  nbformat: number;
  nbformat_minor: number;
}

export interface NotebookCell {
  id?: string;
  cell_type: "code" | "markdown" | "raw";
  source: string | string[];
  metadata: Record<string, any>;
  attachments?: Record<string, unknown>;
  outputs?: Output[];
  execution_count?: number | null;
}

export type Output = { output_type: "stream" | "display_data" | "execute_result" | "error" } & Record<string, any>;

/**
 * Reads a notebook and brings it to format 4.5: every cell has an id of its own.
 * @throws MoeError `bad-notebook`
 */
export function readNotebook(file: string): Notebook {
  const refuse = (seen: string): never => {
    throw new MoeError("bad-notebook",
      `run: ${file} ${seen}; accepted is a notebook of nbformat 4. Save it again in a current JupyterLab.`);
  };
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new MoeError("no-notebook",
      `run: ${file} cannot be read (${(error as NodeJS.ErrnoException).code}); accepted is the path of an `
        + ".ipynb file. Check the path.");
  }
  let notebook: Notebook;
  try {
    notebook = JSON.parse(text);
  } catch {
    return refuse("is not JSON");
  }
  if (notebook?.nbformat !== 4 || !Array.isArray(notebook.cells)) refuse(`has nbformat ${String(notebook?.nbformat)}`);
  const ids = new Set<string>();
  for (const [index, cell] of notebook.cells.entries()) {
    if (!["code", "markdown", "raw"].includes(cell?.cell_type) || cell.source === undefined)
      refuse(`has a cell ${index + 1} without type or source`);
    if (cell.id === undefined || ids.has(cell.id)) cell.id = newId();
    ids.add(cell.id);
    cell.metadata ??= {};
  }
  notebook.metadata ??= {};
  notebook.nbformat_minor = Math.max(5, notebook.nbformat_minor);
  return notebook;
}

/** Writes a notebook in the layout that Jupyter uses, so that differences stay small. Nothing half-written is left. */
export async function writeNotebook(file: string, notebook: Notebook, options: WriteWholeOptions): Promise<void> {
  const sorted = { cells: notebook.cells.map(layoutCell), metadata: notebook.metadata, nbformat: 4,
    nbformat_minor: notebook.nbformat_minor };
  await writeWhole(file, `${JSON.stringify(sorted, null, 1)}\n`, options);
}

export function newId(): string {
  return randomBytes(4).toString("hex");
}

export function sourceOf(cell: Pick<NotebookCell, "source">): string {
  return [cell.source].flat().join("");
}

export function tagsOf(cell: NotebookCell): string[] {
  return Array.isArray(cell.metadata.tags) ? cell.metadata.tags : [];
}

/** Long texts are lists of lines. */
export function lines(text: string): string[] {
  return text.split(/(?<=\n)/).filter((line) => line !== "");
}

function layoutCell(cell: NotebookCell): Record<string, unknown> {
  const { cell_type, id, metadata, attachments } = cell;
  const source = lines(sourceOf(cell));
  if (cell_type !== "code") return { cell_type, id, ...(attachments ? { attachments } : {}), metadata, source };
  return { cell_type, execution_count: cell.execution_count ?? null, id, metadata, outputs: cell.outputs ?? [],
    source };
}
