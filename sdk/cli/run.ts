import { Command, InvalidArgumentError } from "commander";
import { existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { basename, delimiter, dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { findKernel } from "../../kernels/headless/kernel-spec.js";
import { type Notebook, readNotebook, writeNotebook } from "../../kernels/headless/notebook.js";
import { GENERATOR, notebookToHtml } from "../../kernels/headless/page/page.js";
import { setParameters } from "../../kernels/headless/parameters.js";
import { type CellFailure, runNotebook } from "../../kernels/headless/run-notebook.js";
import { MoeError } from "../errors.js";
import { cannotWrite } from "../files/cannot-write.js";
import { writeWhole } from "../files/write-whole.js";
import { readTextSync } from "../read-text.js";

interface RunOptions {
  param: Record<string, string>;
  out: string;
  html?: boolean;
  timeout: number;
  kernel?: string;
  allowErrors?: boolean;
  jobs: number;
  family: string[];
}

export const command = new Command("run").argument("<notebooks...>", "paths of .ipynb files").option(
  "-p, --param <name=value>",
  "set a variable of the cell tagged `parameters`; may be repeated",
  collectParameter,
  {},
).option("--out <dir>", "folder for the executed notebooks", "out").option("--html",
  "write a self-contained page beside each notebook").option("--timeout <seconds>", "for each cell", positive, 1800)
  .option("--kernel <name>",
    "kernel name, or path of a kernel.json (default: moelab for TypeScript, else the notebook's)").option(
    "--allow-errors",
    "run on after a cell has failed",
  ).option("--family <file>",
    "your own family file: moe.load in the notebooks opens its model types by it; may be repeated",
    (file: string, files: string[]) => [...files, resolve(file)], []).option("--jobs <n>",
    "notebooks that run at the same time", positive, Math.min(2, availableParallelism())).action(run);

async function run(notebooks: string[], options: RunOptions): Promise<void> {
  const stop = new AbortController();
  process.once("SIGINT", () => {
    console.error("stopping; what has run so far is kept");
    stop.abort();
    process.once("SIGINT", () => process.exit(130));
  });
  const outputs = new Set<string>();
  for (const file of notebooks) {
    const name = basename(file);
    if (outputs.has(name))
      throw new MoeError("same-name",
        `run: two notebooks are called ${name}; accepted are different names for one --out folder. Run them `
          + "one after the other.");
    outputs.add(name);
  }
  // read and checked before anything starts
  const jobs = notebooks.map((file) => {
    const notebook = readNotebook(file);
    setParameters(notebook, options.param);
    const written = join(options.out, basename(file));
    for (const path of options.html ? [written, pageOf(written)] : [written]) requireResult(path);
    return { file, notebook };
  });
  try {
    mkdirSync(options.out, { recursive: true });
  } catch (error) {
    throw cannotWrite("run", options.out, error);
  }
  await takeFamilies(options.family);
  let failed = false;
  const worker = async () => {
    for (let job = jobs.shift(); job && !stop.signal.aborted; job = jobs.shift())
      failed = !(await runOne(job.file, job.notebook, options, stop.signal)) || failed;
  };
  await Promise.all(Array.from({ length: options.jobs }, worker));
  if (stop.signal.aborted) process.exitCode = 130;
  else if (failed) process.exitCode = 1;
}

/** Checks family files and shows them to the kernels, which have this process's environment. */
async function takeFamilies(files: string[]): Promise<void> {
  if (files.length === 0) return;
  const { readFamily } = await import("../checkpoint/family.js");
  files.forEach(readFamily);
  process.env.MOELAB_FAMILIES = [...files, process.env.MOELAB_FAMILIES].filter(Boolean).join(delimiter);
}

/** @returns whether all cells ran */
async function runOne(
  file: string,
  notebook: Notebook,
  { out, html, timeout, kernel, allowErrors, param }: RunOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const spec = findKernel(kernel ?? defaultKernel(notebook));
  const name = basename(file);
  const count = notebook.cells.filter((cell) => cell.cell_type === "code").length;
  const started = performance.now();
  let done = 0;
  const { failure, stopped } = await runNotebook(notebook, {
    spec,
    folder: dirname(resolve(file)),
    timeoutMs: timeout * 1000,
    signal,
    allowErrors,
    onCell: (index, _cell, timeMs) =>
      console.log(`${name}  cell ${index + 1}  (${++done}/${count})  ${(timeMs / 1000).toFixed(1)} s`),
  });
  notebook.metadata.moelab = {
    version: createRequire(import.meta.url)("moelab/package.json").version,
    date: new Date().toISOString(),
    parameters: param,
    ...(stopped
      ? { stopped: `stopped by the user after ${done} of ${count} cells` }
      : failure
      ? { stopped: `cell ${failure.cell} failed` }
      : {}),
  };
  const written = join(out, name);
  await writeNotebook(written, notebook, { verb: "run", replaces: () => true }); // what is there was looked at before
  if (html)
    await writeWhole(pageOf(written), notebookToHtml(notebook, name), { verb: "run",
      replaces: (begun) => begun.includes(GENERATOR) });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (failure) tell(file, failure);
  else console.log(`${name}  ${stopped ? "stopped" : "done"} in ${seconds} s`);
  console.log(
    "  " + `${relative(".", written)}${html ? `\n  ` + `${pathToFileURL(resolve(pageOf(written))).href}` : ""}`,
  );
  return !failure && !stopped;
}

/** What stands where a result will be has to be one of an earlier run. @throws MoeError `not-ours` */
function requireResult(path: string): void {
  if (!existsSync(path)) return;
  const text = readTextSync(path, { verb: "run", accepted: "a free place in --out", maxBytes: 2 ** 30,
    code: "not-ours" })!;
  if (path.endsWith(".html") ? text.includes(GENERATOR) : /"moelab":\s*\{/.test(text)) return;
  throw new MoeError("not-ours",
    `run: ${path} is there and is no result of a run; accepted is a free name in --out, or an earlier result to `
      + "replace. Give another --out, or move it away.");
}

function pageOf(notebook: string): string {
  return notebook.replace(/\.ipynb$/, ".html");
}

function tell(file: string, { cell, line, ename, evalue, traceback }: CellFailure): void {
  console.error(`run: ${file}: cell ${cell}${line === undefined ? "" : `, line ${line}`} failed: ${ename}: ${evalue}`);
  const text = traceback.join("\n");
  console.error(process.stderr.isTTY ? text : text.replace(/\u001b\[[\d;]*m/g, ""));
}

/** TypeScript notebooks run in our kernel, whatever the kernel was called where they were written. */
function defaultKernel({ metadata }: Notebook): string {
  const { name, language = metadata.language_info?.name } = metadata.kernelspec ?? {};
  return !name || /typescript|javascript/i.test(String(language ?? "typescript")) ? "moelab" : String(name);
}

function collectParameter(text: string, all: Record<string, string>): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Accepted is name=value.");
  return { ...all, [text.slice(0, at)]: text.slice(at + 1) };
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("Accepted is a number above 0.");
  return value;
}
