import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { importsMoelab } from "../../../../kernels/moelab/language/imports-moelab.js";

test("a notebook is known by its cells", () => {
  const folder = mkdtempSync(join(tmpdir(), "imports-moelab-"));
  const notebook = (...source: string[]) => {
    writeFileSync(join(folder, "a.ipynb"),
      JSON.stringify({ cells: [{ cell_type: "code", source }], metadata: {}, nbformat: 4, nbformat_minor: 5 }));
    return join(folder, "a.ipynb");
  };
  assert.ok(importsMoelab(notebook("const x = 1;\n", "import { moe } from \"moelab\";")));
  assert.ok(importsMoelab(notebook("import { moe } from'moelab'")));
  assert.not.ok(importsMoelab(notebook("import { readFileSync } from \"node:fs\"; // not moelab")));
  assert.not.ok(importsMoelab(join(folder, "none.ipynb")));
  assert.not.ok(importsMoelab(undefined));
  rmSync(folder, { recursive: true });
});

test.run();
