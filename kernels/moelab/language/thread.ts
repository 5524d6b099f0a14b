// The language thread: TypeScript's language service over the notebook. It answers while cells compute.
import { type MessagePort, workerData } from "node:worker_threads";
import { serve } from "../rpc.js";
import type { LanguageService } from "../threads.js";
import { Compiler } from "./compile.js";
import { complete } from "./complete.js";
import { keepCompiled } from "./fast-typescript.js";
import { closeGaps, collectGarbage } from "./garbage.js";
import { GLOBALS } from "./globals.js";
import { IdleWork } from "./idle-work.js";
import { importsMoelab } from "./imports-moelab.js";
import { inspect } from "./inspect.js";
import { isComplete } from "./is-complete.js";
import { NotebookProgram } from "./notebook-program.js";

/** After so many questions what they have left behind is collected. */
const QUESTIONS_OF_GARBAGE = 20;

const { port, folder, home } = workerData as { port: MessagePort; folder: string; home: string };
const notebook = new NotebookProgram(folder, home, GLOBALS);
const compiler = new Compiler(notebook);

const service: LanguageService = {
  compile: (code, number) => compiler.compile(code, number),
  start: () => compiler.start(),
  compileExpression: (code) => compiler.compileExpression(code),
  complete: (code, offset) => complete(notebook, code, offset),
  inspect: (code, offset, detail) => inspect(notebook, code, offset, detail),
  isComplete,
};
serve(port, service);
compiler.compileExpression("0"); // reads the libraries' types before the first cell asks

const idle = new IdleWork(300), longIdle = new IdleWork(1000);
let questions = 0;
port.on("message", () => {
  if (++questions % QUESTIONS_OF_GARBAGE === 0) idle.add(collectGarbage);
  else idle.postpone();
  longIdle.add(closeGaps);
});
// before the user comes to the cell that imports it
if (importsMoelab(process.env.JPY_SESSION_NAME)) idle.add(() => compiler.compileExpression("import(\"moelab\")"));
// the first help while typing takes many times as long as the second
const sample = "const list = [1]; list.map(";
idle.add(() => complete(notebook, "l", 1), () => complete(notebook, sample, sample.length - 4),
  () => inspect(notebook, sample, sample.length, 0), collectGarbage);
setTimeout(keepCompiled, 5000).unref();
