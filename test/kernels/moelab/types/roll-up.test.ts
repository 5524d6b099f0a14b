import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import ts from "typescript";
import { suite } from "uvu";
import * as assert from "uvu/assert";
// @ts-expect-error plain JavaScript: the build runs it
import { rollUp } from "../../../../kernels/moelab/types/roll-up.mjs";

const FILES: Record<string, string> = {
  "package.json": "{ \"name\": \"shapes\", \"version\": \"1.2.3\" }",
  "index.d.ts": "/// <reference path=\"./extra.d.ts\" />\nexport * from \"./circle.js\";\nexport { default } from "
    + "\"./square.js\";\nexport type Lazy = import(\"./circle.js\").Circle;\nimport whole = "
    + "require(\"./whole.js\");\nexport declare const both: whole.Whole;",
  "circle.d.ts": "import type { EventEmitter } from \"events\";\n/** Round. */\nexport interface Circle { radius: "
    + "number; events: EventEmitter }",
  "square.d.ts": "export default class Square { side: number; private secret }",
  "whole.d.ts": "declare namespace whole { interface Whole { whole: true } }\nexport = whole;",
  "extra.d.ts":
    "interface Everywhere { x: 1 }\ndeclare module \"events\" { export class EventEmitter { on(name: string): this } }",
};
const OPTIONS: ts.CompilerOptions = { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
  target: ts.ScriptTarget.ES2022, lib: ["lib.es5.d.ts"], types: [], skipLibCheck: true, strict: true };

const test = suite("roll-up");
let folder = "";
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), "roll-up-"));
  for (const [name, text] of Object.entries(FILES)) write(name, text);
});
test.after(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

test("the one file means what the many meant", () => {
  const { text, modules, ambient } = rollUp([join(folder, "index.d.ts")], OPTIONS);
  assert.equal(ambient, ["events"]);
  assert.equal(modules["shapes@1.2.3/index.d.ts"], { name: "types:shapes/index", export: "default" });
  assert.is(modules["shapes@1.2.3/whole.d.ts"].export, "equals");
  assert.is(modules["shapes@1.2.3/circle.d.ts"].export, "names");
  assert.match(text, "/** Round. */"); // for the help while typing
  const use = write("use.ts",
    "import Square, { both, type Circle, type Lazy } from \"types:shapes/index\";\ndeclare const circle: "
      + "Circle & Lazy;\nexport const good: [number, number, true] = [circle.radius, new Square().side, "
      + "both.whole];\ncircle.events.on(\"x\").on(\"y\");\ndeclare const e: Everywhere;\nexport const wrong: "
      + "string = e.x;\nexport const worse: string = circle.radius;");
  const program = ts.createProgram([use, write("all.d.ts", text)], { ...OPTIONS, noEmit: true });
  const errors = ts.getPreEmitDiagnostics(program).map(({ messageText }) =>
    ts.flattenDiagnosticMessageText(messageText, "\n")
  );
  assert.equal(errors, ["Type 'number' is not assignable to type 'string'.",
    "Type 'number' is not assignable to type 'string'."]);
  assert.not.ok(program.getSourceFiles().some(({ fileName }) => fileName.endsWith("circle.d.ts")));
});

test("what is left out keeps its name", () => {
  const { text } = rollUp([join(folder, "index.d.ts")], OPTIONS,
    (file: ts.SourceFile) => file.fileName.endsWith("square.d.ts"));
  assert.match(text, "\"./square.js\"");
  assert.match(text, "\"types:shapes/circle\"");
});

test.run();
