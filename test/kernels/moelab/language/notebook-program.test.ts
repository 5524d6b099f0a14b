import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packageFolder } from "../../../../kernels/headless/kernel-spec.js";
import { Compiler } from "../../../../kernels/moelab/language/compile.js";
import { GLOBALS } from "../../../../kernels/moelab/language/globals.js";
import { inspect } from "../../../../kernels/moelab/language/inspect.js";
import { NotebookProgram } from "../../../../kernels/moelab/language/notebook-program.js";

const test = suite("notebook-program");
const folder = mkdtempSync(join(tmpdir(), "notebook-program-"));
test.after(() => rmSync(folder, { recursive: true }));

const notebook = new NotebookProgram(folder, packageFolder(), GLOBALS);
const compiler = new Compiler(notebook);
const errorOf = (code: string) => {
  const compiled = compiler.compile(code, 1);
  if (compiled.ok) compiler.start();
  return compiled.ok ? "" : compiled.error.evalue;
};
const files = () => notebook.program.getSourceFiles().length;

test("the standard library and Node are one file", () => {
  assert.is(
    errorOf(
      "import { readFileSync } from \"node:fs\"; const text = readFileSync(\"x\", \"utf8\"); "
        + "console.log(process.version, text.at(-1))",
    ),
    "",
  );
  assert.ok(files() <= 5, `${files()} files`);
});

/** What came after Node 20, whose types moelab brings. */
const NEWER = new Set(["navigator", "Navigator", "WebSocket", "CloseEvent", "URLPattern"]);

test("all that Node puts into the global scope has a type", () => {
  const names = spawnSync(process.execPath, ["-e", "console.log(Object.getOwnPropertyNames(globalThis).join())"], {
    encoding: "utf8",
  }).stdout.trim().split(",").filter((name) => !builtinModules.includes(name) && !NEWER.has(name));
  assert.ok(names.includes("Array") && names.includes("fetch"));
  assert.is(errorOf(names.map((name) => `void ${name};`).join("\n")), "");
  assert.is(
    errorOf(
      "const bytes = Uint8Array.of(0); const made: WebAssembly.Module | undefined = "
        + "WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : undefined; const key: CryptoKey | "
        + "undefined = undefined; performance satisfies Performance",
    ),
    "",
  );
  assert.match(errorOf("new WebAssembly.Module(5)"), /Argument of type 'number'/);
});

test("cells that build on each other do not make the program grow", () => {
  for (let i = 0; i < 60; i++)
    assert.is(
      errorOf(`/** The ${i}th. */ let step${i} = { value: ${i ? `step${i - 1}.value + 1` : 0}, list: [${i}] };`),
      "",
    );
  assert.is(errorOf("step59.list.push(1)"), "");
  assert.ok(files() <= 5, `${files()} files`);
  assert.match(errorOf("step59.value = \"x\""), /Type 'string' is not assignable to type 'number'/);
  const help = inspect(notebook, "step3", 4, 0)!.plain;
  assert.match(help, /let step3: \{/);
  assert.match(help, /The 3th\./);
});

test("moelab and all that it depends on are one file, of one mind with direct imports of these packages", () => {
  assert.is(errorOf("import { moe } from \"moelab\"; const study = moe.load(\"nano-switch\").profile({ tokens: 10 });"),
    "");
  assert.is(
    errorOf(
      "import { tf } from \"moelab\"; import * as direct from \"@tensorflow/tfjs-core\"; const tensor: "
        + "direct.Tensor = tf.tensor([1]);",
    ),
    "",
  );
  assert.ok(files() <= 10, `${files()} files`);
  assert.match(errorOf("study.merge({ methd: \"x\" })"), /Property 'method' is missing/);
  assert.match(inspect(notebook, "study.merge", 8, 0)!.plain, /Experts become fewer/);
});

test("a library is parsed once, though a cell between does not mention it", () => {
  const library = () => notebook.program.getSourceFiles().find(({ fileName }) => fileName.endsWith("moelab.d.ts"));
  assert.is(errorOf("import { moe as once } from \"moelab\""), "");
  const parsed = library();
  assert.ok(parsed);
  assert.is(errorOf("1 + 1"), "");
  assert.is(library(), undefined);
  assert.is(errorOf("import { moe as twice } from \"moelab\""), "");
  assert.is(library(), parsed);
});

test("comments of libraries are there when somebody asks", () => {
  const help = (code: string) => inspect(notebook, code, code.length, 0)!.plain;
  assert.match(help("Math.max"),
    /Returns the larger of a set of supplied numeric expressions\.\n\n@param values Numeric expressions/);
  assert.match(help("Math.max(1, "), /argument 1: \.\.\.values: number\[\]: Numeric expressions to be evaluated/);
  assert.match(help("import { readFileSync } from \"node:fs\"; readFileSync"), /Returns the contents of the `path`/);
  assert.match(help("[1].map((each) => "), /Calls a defined callback function on each element/);
});

test.run();
