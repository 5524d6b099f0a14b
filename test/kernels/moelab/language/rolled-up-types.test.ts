import { join } from "node:path";
import ts from "typescript";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { packageFolder } from "../../../../kernels/headless/kernel-spec.js";
import { RolledUpTypes } from "../../../../kernels/moelab/language/rolled-up-types.js";

test("the libraries of the newest Node are no module, and hold its iterators", () => {
  const types = new RolledUpTypes(join(packageFolder(), "dist/kernel/types"), ["lib.esnext.d.ts"], false);
  const cell = "/cell.ts";
  const readFile =
    (file:
      string) => (file === cell
        ? "const doubled: number[] = [1].values().map((n) => n * 2).toArray();"
        : types.text(file) ?? ts.sys.readFile(file));
  const host = { ...ts.createCompilerHost({}), readFile, fileExists: (file: string) => readFile(file) !== undefined,
    getSourceFile: (file: string) => ts.createSourceFile(file, readFile(file) ?? "", ts.ScriptTarget.Latest) };
  const program = ts.createProgram([cell], { lib: [types.library], types: [], target: ts.ScriptTarget.ES2024,
    strict: true }, host);
  const problems = [...program.getGlobalDiagnostics(), ...program.getSemanticDiagnostics(program.getSourceFile(cell))];
  assert.equal(problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")), []);
});

test.run();
