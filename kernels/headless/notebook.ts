import { randomBytes } from "node:crypto";
import * as v from "valibot";
import { MoeError } from "../../sdk/errors.js";
import { writeWhole, type WriteWholeOptions } from "../../sdk/files/write-whole.js";
import { parseJson } from "../../sdk/parse-json.js";
import { parsed } from "../../sdk/parsed.js";
import { readTextSync } from "../../sdk/read-text.js";

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

/** A notebook with its pictures is some megabytes. */
const MAX_BYTES = 2 ** 29;

const text = v.string();
const object = v.record(text, v.unknown());
const lined = v.union([text, v.array(text)], "accepted is a text or a list of lines");
const named = v.optional(
  v.looseObject({ name: v.optional(text), language: v.optional(text), display_name: v.optional(text) }),
);

const NotebookSchema = v.looseObject({
  nbformat: v.literal(4),
  nbformat_minor: v.optional(v.number(), 5),
  metadata: v.optional(v.looseObject({ kernelspec: named, language_info: named, moelab: v.optional(object) }), {}),
  cells: v.array(v.looseObject({
    id: v.optional(text),
    cell_type: v.picklist(["code", "markdown", "raw"]),
    source: lined,
    metadata: v.optional(object, {}),
    attachments: v.optional(object),
    execution_count: v.nullish(v.number()),
    outputs: v.optional(v.array(v.looseObject({
      output_type: v.picklist(["stream", "display_data", "execute_result", "error"]),
      name: v.optional(text),
      text: v.optional(lined),
      data: v.optional(object),
      metadata: v.optional(object),
      ename: v.optional(text),
      evalue: v.optional(text),
      traceback: v.optional(v.array(text)),
    }))),
  })),
});

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
  const text = readTextSync(file, { verb: "run", accepted: "the path of an .ipynb file", maxBytes: MAX_BYTES,
    code: "bad-notebook" });
  if (text === undefined)
    throw new MoeError("no-notebook",
      `run: ${file} cannot be read (ENOENT); accepted is the path of an .ipynb file. Check the path.`);
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (error) {
    return refuse(`is not JSON (${(error as Error).message})`);
  }
  const notebook = parsed(NotebookSchema, json,
    (why) =>
      new MoeError("bad-notebook",
        `run: in ${file} ${why} It is a notebook of nbformat 4. Save it again in a current JupyterLab.`)) as Notebook;
  const ids = new Set<string>();
  for (const cell of notebook.cells) {
    if (cell.id === undefined || ids.has(cell.id)) cell.id = newId();
    ids.add(cell.id);
  }
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
