import { readdirSync } from "node:fs";
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

test.run();
