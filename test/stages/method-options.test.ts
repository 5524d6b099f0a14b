import ts from "typescript";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { methodList } from "../../sdk/methods.js";
import { packageFile } from "../../sdk/package-file.js";

const main = packageFile("test/stages/options-as-typed.ts");

/** What an editor offers at | in code that stands after `declare const study: Profiled`. */
function offered(code: string): string[] {
  const source = `import type { Profiled } from "../../sdk/pipeline.js"; declare const study: Profiled;\n${code}`;
  const at = source.indexOf("|");
  const text = source.replace("|", "");
  const host: ts.LanguageServiceHost = {
    getScriptFileNames: () => [main],
    getScriptVersion: (name) => (name === main ? text : "1"),
    getCurrentDirectory: () => packageFile("."),
    getScriptSnapshot:
      (name) => (name === main
        ? ts.ScriptSnapshot.fromString(text)
        : ts.sys.fileExists(name)
        ? ts.ScriptSnapshot.fromString(ts.sys.readFile(name)!)
        : undefined),
    getCompilationSettings: () => ({ module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2022, strict: true, skipLibCheck: true, types: ["node"] }),
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: (name) => name === main || ts.sys.fileExists(name),
    readFile: (name) => (name === main ? text : ts.sys.readFile(name)),
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
  };
  return ts.createLanguageService(host, registry).getCompletionsAtPosition(main, at, {})?.entries.map(({ name }) =>
    name
  ).sort() ?? [];
}
const registry = ts.createDocumentRegistry();

for (const kind of ["merge", "prune", "compress", "route"] as const) {
  test(`${kind}({ method: "" offers the methods of this verb`, () => {
    assert.equal(offered(`study.${kind}({ method: "|" })`), methodList().filter((method) =>
      method.kind === kind
    ).map(({ name }) => name).sort());
  });
}

test("a method's options and their words are offered", () => {
  assert.ok(offered("study.merge({ method: \"m-smoe\", | })").includes("similarity"));
  assert.ok(offered("study.merge({ method: \"m-smoe\", keep: 4, ratio: \"|\" })").includes("uniform"));
});

test.run();
