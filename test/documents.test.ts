import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packageFile } from "../sdk/package-file.js";

const test = suite("examples of the documents");

/** The TypeScript blocks of a page as one module, their imports put together. */
function moduleOf(page: string): string {
  const blocks = [...readFileSync(packageFile(page), "utf8").matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code]) =>
    code
  );
  const names = new Set<string>();
  const code = blocks.join("\n").replace(/^import \{ (.*?) \} from "moelab";\n/gm, (_, list: string) => {
    for (const name of list.split(", ")) names.add(name);
    return "";
  });
  return `import { ${[...names].join(", ")} } from "moelab";\n${code}`;
}

function complaints(code: string): string[] {
  const file = packageFile("test/example-of-a-page.ts");
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(packageFile("tsconfig.json"), ts.sys.readFile).config,
    ts.sys,
    packageFile("."),
  );
  const host = ts.createCompilerHost({ ...options, noEmit: true });
  const { readFile, fileExists } = host;
  host.readFile = (name) => (name === file ? code : readFile(name));
  host.fileExists = (name) => name === file || fileExists(name);
  const program = ts.createProgram([file], { ...options, noEmit: true, noUnusedLocals: false,
    paths: { moelab: [packageFile("sdk/index.ts")] } }, host);
  return program.getSemanticDiagnostics(program.getSourceFile(file)).map(({ messageText }) =>
    ts.flattenDiagnosticMessageText(messageText, "\n")
  );
}

for (const page of ["README.md", "docs/training.md", "docs/generation.md", "docs/offloading.md", "CONTRIBUTING.md"]) {
  test(`${page}: compiles and runs as it is printed`, () => {
    const code = moduleOf(page);
    assert.equal(complaints(code), []);
    const folder = mkdtempSync(join(tmpdir(), "moelab-page-"));
    try {
      const built = pathToFileURL(packageFile("dist/index.js")).href;
      const { outputText } = ts.transpileModule(code, {
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
      });
      writeFileSync(join(folder, "page.mjs"), outputText.replace("from \"moelab\"", `from ${JSON.stringify(built)}`));
      const { status, stderr } = spawnSync(process.execPath, ["page.mjs"], { cwd: folder, encoding: "utf8" });
      assert.is(status, 0, stderr);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test.run();
