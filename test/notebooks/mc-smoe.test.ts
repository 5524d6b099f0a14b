import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { packageFile } from "../../sdk/package-file.js";
import { testNotebook } from "../support/test-notebook.js";

test("npm start prints the cell of the notebook that compares arms", () => {
  const [, id] = /id === "(.+?)"/.exec(readFileSync(packageFile("start.mjs"), "utf8"))!;
  const { cells } = JSON.parse(readFileSync(packageFile("notebooks/papers/mc-smoe.ipynb"), "utf8")) as {
    cells: { id: string; source: string[] }[];
  };
  const shown = cells.find((cell) => cell.id === id);
  assert.ok(shown, `there is no cell "${id}"`);
  assert.match(shown.source.join(""), "moe.from(teacher).compare(");
});

testNotebook("papers/mc-smoe", "budget=glance");
