// How long TypeScript takes for a trivial cell: the rest of its time is protocol and running. Prints JSON.
// usage: node --import tsx test/bench/kernel/checking.ts
import { tmpdir } from "node:os";
import { packageFolder } from "../../../kernels/headless/kernel-spec.js";
import { Compiler } from "../../../kernels/moelab/language/compile.js";
import { GLOBALS } from "../../../kernels/moelab/language/globals.js";
import { NotebookProgram } from "../../../kernels/moelab/language/notebook-program.js";
import { median } from "../../../sdk/statistics/median.js";

const compiler = new Compiler(new NotebookProgram(tmpdir(), packageFolder(), GLOBALS));
const time = (code: string) => {
  const started = performance.now();
  if (!compiler.compile(code, 1).ok) throw new Error(`bench: ${code} does not compile`);
  compiler.start();
  return performance.now() - started;
};
const trivial = (count: number) => median(Array.from({ length: count }, (_, i) => time(`1 + ${i}`)));

const firstMs = time("1 + 1");
trivial(100); // as warm as the kernel is after its hundred
const trivialMs = trivial(100);
const importMs = time("import { moe } from \"moelab\"");
console.log(JSON.stringify({ firstMs, trivialMs, importMs, trivialWithMoelabMs: trivial(100) }));
