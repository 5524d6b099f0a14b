import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { packageFile } from "../sdk/package-file.js";

const about = JSON.parse(readFileSync(packageFile("package.json"), "utf8"));
const run = (...args: string[]) =>
  execFileSync(process.execPath, args, { cwd: packageFile("."), encoding: "utf8",
    env: { ...process.env, MOELAB_BACKEND: "cpu" } });
const program = `load("test/fixtures/models/mixtral").then(async ({ model }) => { const { logits } = await `
  + `model.forward({ ids: [[1, 2, 3]] }); console.log(logits.shape.join("x")); })`;

test("the build is imported and required by the package's own name", () => {
  assert.match(run("--input-type=module", "-e", `import { load } from "moelab"; ${program}`), "1x3x96");
  assert.match(run("-e", `const { load } = require("moelab"); ${program}`), "1x3x96");
});

test("main, types and exports are at the root, where stock tslab looks, and are there", () => {
  for (const path of [about.main, about.module, about.types, about.bin.moelab])
    assert.ok(readFileSync(packageFile(path)).length > 0, path);
});

test("every version is pinned", () => {
  for (const [name, version] of Object.entries({ ...about.dependencies, ...about.devDependencies }))
    assert.match(String(version), /^\d/, name);
});

test.run();
