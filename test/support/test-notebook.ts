import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { packageFile } from "../../sdk/package-file.js";

interface Cell {
  cell_type: string;
  source: string;
  outputs?: { output_type: string; data?: Record<string, unknown> }[];
}

/**
 * The tests of one shipped notebook, `papers/mc-smoe`: each has a file of its own, so that they run side by side.
 *
 * @param parameter that makes it short, e.g. "budget=glance"; `.ci/parts/20-kernel` runs it as it is
 */
export function testNotebook(name: string, parameter: string): void {
  const notebook = packageFile(`notebooks/${name}.ipynb`);
  const cellsOf = (path: string): Cell[] => JSON.parse(readFileSync(path, "utf8")).cells;

  test(`${basename(notebook)} runs in our kernel and shows something in every cell that asks for it`, () => {
    const out = mkdtempSync(join(tmpdir(), "moelab-"));
    execFileSync(process.execPath, [packageFile("dist/cli.js"), "run", notebook, "-p", parameter, "--out", out,
      "--html"], { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });
    for (const { cell_type, source, outputs } of cellsOf(join(out, basename(notebook)))) {
      if (cell_type !== "code") continue;
      assert.not(outputs!.some(({ output_type }) => output_type === "error"), source);
      if (source.includes("moe.display("))
        assert.ok(outputs!.some(({ data }) => data && ("text/html" in data || "image/png" in data)), source);
    }
    const page = readFileSync(join(out, basename(notebook).replace("ipynb", "html")), "utf8");
    assert.match(page, "<table");
    assert.match(page, "data:image/png;base64,");
    rmSync(out, { recursive: true });
  });

  test(`${basename(notebook)} is committed without outputs`, () => {
    for (const { cell_type, outputs } of cellsOf(notebook)) if (cell_type === "code") assert.equal(outputs, []);
  });

  test.run();
}
