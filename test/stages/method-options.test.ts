import ts from "typescript";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { packageFile } from "../../sdk/package-file.js";
import { methodList } from "../../sdk/stages/method-list.js";

const main = packageFile("test/stages/options-as-typed.ts");

/** An editor that is at | in code that stands after `declare const study: Profiled`. */
function editor(code: string, types = "../../sdk/pipeline.js"): { service: ts.LanguageService; at: number } {
  const source = `import type { Profiled } from "${types}"; declare const study: Profiled;\n${code}`;
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
  return { service: ts.createLanguageService(host, registry), at };
}
const registry = ts.createDocumentRegistry();

function offered(code: string): string[] {
  const { service, at } = editor(code);
  return service.getCompletionsAtPosition(main, at, {})?.entries.map(({ name }) => name).sort() ?? [];
}

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

test("what the table says of an option is its help, from the package's types", () => {
  const { service, at } = editor("study.merge({ method: \"m-smoe\", keep: 4, |grouping: \"spectral\" })",
    "../../dist/types/sdk/pipeline.js");
  const help = service.getQuickInfoAtPosition(main, at)!;
  assert.match(ts.displayPartsToString(help.displayParts), "grouping");
  assert.match(ts.displayPartsToString(help.documentation), /everyone joins the most similar .* clustering/);
});

test.run();
