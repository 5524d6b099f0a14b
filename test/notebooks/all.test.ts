import { readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { packageFile } from "../../sdk/package-file.js";

test("every shipped notebook has a test of its name", () => {
  const shipped = ["papers", "lessons"].flatMap((folder) =>
    readdirSync(packageFile(`notebooks/${folder}`)).filter((name) => name.endsWith(".ipynb")).map((name) =>
      name.replace(".ipynb", ".test.ts")
    )
  );
  assert.equal(readdirSync(packageFile("test/notebooks")).filter((name) => name !== "all.test.ts").sort(),
    shipped.sort());
});

test("every shipped notebook has a budget among its parameters, and `glance` in it", () => {
  for (const folder of ["papers", "lessons"])
    for (const name of readdirSync(packageFile(`notebooks/${folder}`)).filter((name) => name.endsWith(".ipynb"))) {
      const { cells } = JSON.parse(readFileSync(packageFile(`notebooks/${folder}/${name}`), "utf8")) as {
        cells: { source: string | string[]; metadata: { tags?: string[] } }[];
      };
      const sources = cells.map(({ source }) => [source].flat().join(""));
      const parameters = cells.findIndex(({ metadata }) => metadata.tags?.includes("parameters"));
      assert.match(sources[parameters] ?? "", /^(let|const) budget = "quick";/m, name);
      assert.ok(sources.some((source, at) => at !== parameters && /\bbudget\b/.test(source)),
        `${name} does nothing with its budget`);
    }
});

test.run();
