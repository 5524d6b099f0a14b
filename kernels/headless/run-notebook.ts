import { MoeError } from "../../sdk/errors.js";
import { collectOutputs, type Displays } from "./collect-outputs.js";
import { KernelClient } from "./kernel-client.js";
import type { KernelSpec } from "./kernel-spec.js";
import { type Notebook, type NotebookCell, sourceOf, tagsOf } from "./notebook.js";

export interface RunNotebookOptions {
  spec: KernelSpec;
  /** the kernel's working directory */
  folder: string;
  /** for each cell; a cell that takes longer is interrupted */
  timeoutMs: number;
  signal?: AbortSignal;
  /** runs the remaining cells after one has failed */
  allowErrors?: boolean;
  onCell?(index: number, cell: NotebookCell, timeMs: number): void;
}

export interface CellFailure {
  /** place in the notebook as it was written, counted from 1 over all cells */
  cell: number;
  /** line in the cell, where the kernel tells it */
  line?: number;
  ename: string;
  evalue: string;
  traceback: string[];
}

/**
 * Executes the code cells of a notebook in order and puts their outputs into it.
 * A cell tagged `raises-exception` may fail. When the signal aborts, the running cell is interrupted and the notebook
 * keeps what there is.
 *
 * @returns the first cell that failed, and whether the run was stopped
 */
export async function runNotebook(
  notebook: Notebook,
  { spec, folder, timeoutMs, signal, allowErrors = false, onCell }: RunNotebookOptions,
): Promise<{ failure?: CellFailure; stopped: boolean }> {
  const kernel = await KernelClient.start(spec, folder);
  const displays: Displays = new Map();
  const stop = () => void kernel.interrupt();
  let failure: CellFailure | undefined;
  signal?.addEventListener("abort", stop, { once: true });
  try {
    for (const cell of notebook.cells)
      if (cell.cell_type === "code") Object.assign(cell, { outputs: [], execution_count: null });
    for (const [index, cell] of notebook.cells.entries()) {
      if (signal?.aborted) break;
      if (cell.cell_type !== "code" || !sourceOf(cell).trim()) continue;
      const started = performance.now();
      const failed = await runCell(kernel, cell, displays, timeoutMs, signal);
      onCell?.(index, cell, performance.now() - started);
      if (!failed || tagsOf(cell).includes("raises-exception")) continue;
      failure ??= { cell: placeOf(notebook, index), ...failed };
      if (!allowErrors) break;
    }
    notebook.metadata.language_info = kernel.info.language_info;
    return { failure, stopped: signal?.aborted ?? false };
  } finally {
    signal?.removeEventListener("abort", stop);
    await kernel.stop();
  }
}

function placeOf({ cells }: Notebook, index: number): number {
  return cells.slice(0, index + 1).filter((cell) => !tagsOf(cell).includes("injected-parameters")).length;
}

async function runCell(
  kernel: KernelClient,
  cell: NotebookCell,
  displays: Displays,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Omit<CellFailure, "cell"> | undefined> {
  const started = new Date();
  const { reply, idle } = kernel.execute(sourceOf(cell), { onOutput: collectOutputs(cell.outputs ??= [], displays) });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    void kernel.interrupt();
  }, timeoutMs);
  try {
    const { content } = await reply.catch((error: MoeError) => {
      const content = { status: "error", ename: "KernelDied", evalue: error.message, traceback: [error.message] };
      cell.outputs!.push({ output_type: "error", ename: content.ename, evalue: content.evalue,
        traceback: content.traceback });
      return { content: content as Record<string, any> };
    });
    await idle;
    cell.execution_count = content.execution_count ?? null;
    cell.metadata.execution = { "iopub.execute_input": started.toISOString(),
      "shell.execute_reply": new Date().toISOString() };
    if (content.status === "ok") return undefined;
    // stock tslab tells an error only on its stream
    const said = cell.outputs!.find((output) => output.output_type === "error") ?? content;
    const traceback: string[] = said.traceback
      ?? cell.outputs!.filter((output) => output.name === "stderr").flatMap((output) => output.text);
    const evalue = timedOut
      ? `the cell took longer than ${timeoutMs / 1000} s`
      : signal?.aborted
      ? "stopped"
      : String(said.evalue ?? traceback[0] ?? "the kernel gave no reason");
    return { ename: timedOut ? "Timeout" : String(said.ename ?? "Error"), evalue, traceback,
      line: lineOf(evalue, traceback, cell.execution_count) };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The line of a cell that an error speaks of: `3:7 - …` of a type error, `Cell [5]:3:7` of ours, `line 3` of ipykernel.
 */
function lineOf(evalue: string, traceback: string[], count: number | null | undefined): number | undefined {
  const text = traceback.join("\n").replace(/\u001b\[[\d;]*m/g, "");
  const found = /^(\d+):\d+ - /.exec(evalue) ?? new RegExp(`Cell \\[${count}\\]:(\\d+)`).exec(text)
    ?? /^(?:\w+:)?(\d+):\d+ - /m.exec(text) ?? /[Cc]ell[^\n]{0,200}?, line (\d+)/.exec(text) ?? /line (\d+)/.exec(text);
  return found ? Number(found[1]) : undefined;
}
