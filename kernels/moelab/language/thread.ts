// TypeScript's language service over the notebook, in a process of its own that starts from a snapshot, or in a thread
// where there is none: it answers while cells compute. The same file writes the snapshot.
import { dirname } from "node:path";
import { startupSnapshot } from "node:v8";
import { type Port, serve } from "../rpc.js";
import type { LanguageService } from "../threads.js";
import { Compiler } from "./compile.js";
import { complete } from "./complete.js";
import { closeGaps, collectGarbage } from "./garbage.js";
import { GLOBALS } from "./globals.js";
import { IdleWork } from "./idle-work.js";
import { importsMoelab } from "./imports-moelab.js";
import { inspect } from "./inspect.js";
import { isComplete } from "./is-complete.js";
import { Libraries } from "./libraries.js";
import { NotebookProgram } from "./notebook-program.js";
import { writeSnapshot } from "./snapshot.js";

/** After so many questions what they have left behind is collected. */
const QUESTIONS_OF_GARBAGE = 20;

export interface LanguageData {
  /** the notebook's */
  folder: string;
  /** of the moelab package */
  home: string;
}

const SAMPLE = "const list = [1]; list.map(";

function answer(port: Port, { folder, home }: LanguageData, libraries?: Libraries): void {
  const notebook = new NotebookProgram(folder, home, GLOBALS, libraries);
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
  idle.add(() => complete(notebook, "l", 1), () => complete(notebook, SAMPLE, SAMPLE.length - 4),
    () => inspect(notebook, SAMPLE, SAMPLE.length, 0), collectGarbage);
}

/** Libraries as cells use them, parsed by using them once. */
function prepared(home: string): Libraries {
  const libraries = new Libraries(home, true);
  const notebook = new NotebookProgram(home, home, GLOBALS, libraries);
  const compiler = new Compiler(notebook);
  for (const code of ["1 + 1", "import { moe } from \"moelab\"; const study = moe.load(\"a\").profile();", "study"])
    if (compiler.compile(code, 1).ok) compiler.start();
  // completion would make an Intl.Collator, which cannot be part of a snapshot
  inspect(notebook, SAMPLE, SAMPLE.length, 0);
  return libraries;
}

if (startupSnapshot.isBuildingSnapshot()) {
  const libraries = prepared(dirname(dirname(dirname(__filename))));
  startupSnapshot.setDeserializeMainFunction(() => {
    process.on("disconnect", () => process.exit());
    const port: Port = { on: (_, receive) => process.on("message", receive), postMessage: (message) =>
      process.send!(message) };
    answer(port, JSON.parse(process.argv.at(-1)!), libraries);
  });
} else if (process.argv[2] === "prepare") {
  writeSnapshot(__dirname);
} else {
  const { parentPort, workerData } = require("node:worker_threads") as typeof import("node:worker_threads");
  answer(parentPort!, workerData);
}
