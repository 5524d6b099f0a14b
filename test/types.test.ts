import { spawnSync } from "node:child_process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { packageFile } from "../sdk/package-file.js";

test("everything type-checks, and what must not compile does not (@ts-expect-error)", () => {
  const { status, stdout } = spawnSync(process.execPath, [packageFile("node_modules/typescript/bin/tsc"), "-p",
    packageFile("tsconfig.json"), "--noEmit"], { encoding: "utf8" });
  assert.is(status, 0, stdout);
});

test.run();
