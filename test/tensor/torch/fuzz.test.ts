import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findEngine } from "../../../sdk/tensor/torch/engine-folder.js";

const there = findEngine() !== undefined;
if (!there) console.log("skip: no torch engine was built");

for (const seed of [1, 2]) {
  (there ? test : test.skip)(`20,000 random calls of the addon end in a result or an error, seed ${seed}`, () => {
    const script = fileURLToPath(new URL("fuzz-calls.ts", import.meta.url));
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", script, String(seed),
      "20000"], { encoding: "utf8", timeout: 240_000 });
    assert.is(signal, null, `stopped by ${signal}\n${stderr}`);
    assert.is(status, 0, stderr);
    const { answered, refused, left } = JSON.parse(stdout.trim().split("\n").pop()!);
    assert.is(answered + refused, 20_000);
    assert.ok(answered > 1500, `only ${answered} calls were answered: the arguments are too random to test much`);
    assert.is(left, 0, "an operation left a tensor behind");
  });
}

test.run();
