import { execFileSync, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { installedKernels } from "../../../kernels/headless/kernel-spec.js";
import type { Notebook } from "../../../kernels/headless/notebook.js";

const test = suite("moelab run, kernel, clean, new");
const CLI = fileURLToPath(new URL("../../../dist/cli.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "moelab run é "));
test.after(() => rmSync(folder, { recursive: true, force: true }));

function notebook(name: string, ...sources: (string | [source: string, ...tags: string[]])[]): string {
  const cells = sources.map((source, i) => {
    const [text, ...tags] = [source].flat() as [string, ...string[]];
    return { cell_type: "code", id: `c${i}`, metadata: { tags }, source: text, outputs: [], execution_count: null };
  });
  writeFileSync(join(folder, name),
    JSON.stringify({ cells,
      metadata: { kernelspec: { name: "any", display_name: "TypeScript", language: "typescript" } }, nbformat: 4,
      nbformat_minor: 5 }));
  return name;
}

function moelab(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [CLI, ...args], { cwd: folder, encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" } });
}

const read = (name: string): Notebook => JSON.parse(readFileSync(join(folder, name), "utf8"));
const textOf = (name: string) => JSON.stringify(read(name).cells.map((cell) => cell.outputs));

test("executes with parameters, several at once, notebook and page", () => {
  notebook("a.ipynb", ["const keep = 0.5;", "parameters"], "console.log('keep', keep); keep * 2");
  notebook("b.ipynb", ["let keep = 1;", "parameters"], "await new Promise((r) => setTimeout(r, 10)); keep");
  const { status, stderr } = moelab("run", "a.ipynb", "b.ipynb", "-p", "keep=0.25", "--out", "out", "--html");
  assert.is(status, 0, stderr);
  const a = read("out/a.ipynb");
  assert.equal([a.nbformat, a.nbformat_minor], [4, 5]);
  assert.equal(a.cells.at(-1)!.outputs, [{ output_type: "stream", name: "stdout", text: ["keep 0.25\n"] }, {
    output_type: "execute_result",
    execution_count: 3,
    data: { "text/plain": ["0.5"] },
    metadata: {},
  }]);
  assert.match(textOf("out/b.ipynb"), /0\.25/);
  assert.match(readFileSync(join(folder, "out/a.html"), "utf8"), /keep 0\.25/);
});

test("a failing cell ends with 1 and is named with its line; the notebook is kept", () => {
  notebook("fails.ipynb", "1", "const fine = 1;\nnull!.boom", ["throw new Error('never')"]);
  const typed = moelab("run", "fails.ipynb", "--out", "out");
  assert.is(typed.status, 1);
  assert.match(typed.stderr, /fails\.ipynb: cell 2, line 2 failed: TypeScriptError/);
  notebook("throws.ipynb", ["throw new Error('expected')", "raises-exception"],
    "function f(): never {\n  throw new RangeError('deep');\n}", "\n\nf()", "console.log('not reached')");
  const thrown = moelab("run", "throws.ipynb", "--out", "out");
  assert.is(thrown.status, 1);
  assert.match(thrown.stderr, /cell 3, line 3 failed: RangeError: deep/);
  assert.not.match(textOf("out/throws.ipynb"), /not reached/);
});

test("notebooks load by a family file of one's own", () => {
  const mixtral = fileURLToPath(new URL("../../fixtures/models/mixtral", import.meta.url));
  const config = JSON.parse(readFileSync(join(mixtral, "config.json"), "utf8"));
  mkdirSync(join(folder, "own"));
  cpSync(join(mixtral, "model.safetensors"), join(folder, "own/model.safetensors"));
  writeFileSync(join(folder, "own/config.json"), JSON.stringify({ ...config, model_type: "own_moe" }));
  writeFileSync(join(folder, "own.json"),
    JSON.stringify({ family: "own", modelTypes: ["own_moe"], extends: "mixtral" }));
  notebook("own.ipynb", "import { moe } from 'moelab';\n(await moe.load('./own')).model.spec.family");
  const without = moelab("run", "own.ipynb", "--out", "out");
  assert.is(without.status, 1);
  assert.match(without.stderr, /model_type is "own_moe"/);
  const { status, stderr } = moelab("run", "own.ipynb", "--out", "out", "--family", "own.json");
  assert.is(status, 0, stderr);
  assert.match(textOf("out/own.ipynb"), /'own'/);
  assert.match(moelab("run", "own.ipynb", "--out", "out", "--family", "none.json").stderr, /none\.json cannot be read/);
});

test("a cell over its time is interrupted", () => {
  notebook("slow.ipynb", "await new Promise(() => {})");
  const { status, stderr } = moelab("run", "slow.ipynb", "--out", "out", "--timeout", "1");
  assert.is(status, 1);
  assert.match(stderr, /cell 1.*Timeout: the cell took longer than 1 s/);
});

test("bad input is refused before anything runs", () => {
  notebook("ok.ipynb", ["let keep = 1;", "parameters"]);
  writeFileSync(join(folder, "broken.ipynb"), "{");
  assert.match(moelab("run", "ok.ipynb", "-p", "keep=x").stderr, /parameter keep is "x"; accepted is a number/);
  assert.match(moelab("run", "broken.ipynb").stderr, /is not JSON .*; accepted is a notebook/);
  assert.match(moelab("run", "absent.ipynb").stderr, /cannot be read/);
  assert.match(moelab("run", "ok.ipynb", "--kernel", "nowhere").stderr, /kernel "nowhere" is not installed/);
});

test("Ctrl-C keeps what has run, marked as stopped", async () => {
  notebook("stop.ipynb", "console.log('first')", "await new Promise(() => {})", "console.log('third')");
  const child = spawn(process.execPath, [CLI, "run", "stop.ipynb", "--out", "stopped"], { cwd: folder,
    stdio: ["ignore", "pipe", "ignore"] });
  let said = "";
  child.stdout.on("data", (chunk) => (said += chunk));
  const exited = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const started = Date.now();
  while (!said.includes("cell 1") && Date.now() - started < 60_000) await new Promise((r) => setTimeout(r, 50));
  child.kill("SIGINT");
  assert.is(await exited, 130);
  const kept = read("stopped/stop.ipynb");
  assert.match(kept.metadata.moelab.stopped, /stopped by the user/);
  assert.match(JSON.stringify(kept.cells[0]!.outputs), /first/);
  assert.equal(kept.cells[2]!.outputs, []);
});

test("a result replaces an earlier result, and neither a notebook nor a page of somebody else", () => {
  notebook("again.ipynb", "1");
  for (let i = 0; i < 2; i++) assert.is(moelab("run", "again.ipynb", "--out", "results", "--html").status, 0);
  const before = readFileSync(join(folder, "again.ipynb"), "utf8");
  const over = moelab("run", "again.ipynb", "--out", ".");
  assert.match(over.stderr, /run: again\.ipynb is there and is no result of a run/);
  assert.is(readFileSync(join(folder, "again.ipynb"), "utf8"), before);
  writeFileSync(join(folder, "results/again.html"), "mine");
  assert.match(moelab("run", "again.ipynb", "--out", "results", "--html").stderr,
    /again\.html is there and is no result/);
  assert.is(readFileSync(join(folder, "results/again.html"), "utf8"), "mine");
});

test("new makes a notebook that clean leaves as it is", () => {
  assert.is(moelab("new", "study").status, 0);
  assert.match(moelab("new", "study").stderr, /study\.ipynb is there and is no file that this would write/);
  assert.is(moelab("clean", "--check", "study.ipynb").status, 0);
});

test("clean strips what changes with every run, and only that", () => {
  const file = join(folder, "dirty.ipynb");
  const { cells, metadata } = read("out/a.ipynb");
  writeFileSync(file,
    JSON.stringify({ cells, metadata: { ...metadata, widgets: { state: {} } }, nbformat: 4, nbformat_minor: 5 }));
  assert.is(moelab("clean", "--check", "dirty.ipynb").status, 1);
  assert.is(moelab("clean", "dirty.ipynb").status, 0);
  assert.is(moelab("clean", "--check", "dirty.ipynb").status, 0);
  const cleaned = read("dirty.ipynb");
  assert.equal(cleaned.cells.map((cell) => cell.outputs), cells.map((cell) => cell.outputs));
  assert.not.match(readFileSync(file, "utf8"), /iopub|widgets|"date"/);
  moelab("clean", "--outputs", "dirty.ipynb");
  assert.equal(read("dirty.ipynb").cells.at(-1)!.outputs, []);
});

test("a kernel is installed, listed, started from its kernel.json, and removed", () => {
  const prefix = join(folder, "an env");
  assert.is(moelab("kernel", "install", "--prefix", prefix, "--name", "mine").status, 0);
  const installed = join(prefix, "share/jupyter/kernels/mine");
  for (const file of ["kernel.json", "logo-32x32.png", "logo-64x64.png", "logo-svg.svg"])
    assert.ok(statSync(join(installed, file)).size > 0, file);
  const spec = JSON.parse(readFileSync(join(installed, "kernel.json"), "utf8"));
  assert.is(spec.interrupt_mode, "message");
  assert.ok(existsSync(spec.argv[0]));
  process.env.JUPYTER_PATH = join(prefix, "share/jupyter");
  assert.is(installedKernels().get("mine"), installed);
  assert.match(moelab("kernel", "list").stdout, /mine/);
  notebook("with-spec.ipynb", "6 * 7");
  assert.is(moelab("run", "with-spec.ipynb", "--kernel", join(installed, "kernel.json"), "--out", "out").status, 0);
  assert.match(textOf("out/with-spec.ipynb"), /42/);
  assert.is(moelab("kernel", "uninstall", "--prefix", prefix, "--name", "mine").status, 0);
  assert.not.ok(existsSync(installed));
  assert.match(moelab("kernel", "uninstall", "--prefix", prefix, "--name", "mine").stderr, /is not there/);
});

test("help names every command without loading it", () => {
  const help = execFileSync(process.execPath, [CLI, "--help"], { encoding: "utf8" });
  for (const name of ["run", "new", "clean", "lab", "kernel"]) assert.match(help, new RegExp(`\\n  ${name} `));
});

test.run();
