import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SweepState } from "../../sdk/profile/sweep-state.js";
import { rejects } from "../support/rejects.js";

const test = suite("sweep-state");
const folder = mkdtempSync(join(tmpdir(), "moelab-state-"));
test.after(() => rmSync(folder, { recursive: true }));

const state = { key: "run", stack: "decoder", layer: 2, file: "decoder-2.safetensors", batches: 1 };
const done = (text: string) => {
  writeFileSync(join(folder, "sweep.json"), text);
  return new SweepState(folder, "run").layersDone(["layers.0", "layers.1", "layers.2"]);
};

test("the layers before the point of a state are done", async () => {
  assert.equal(await done(JSON.stringify(state)), ["layers.0", "layers.1"]);
});

test("a state that leads out of its folder, or is none, is refused", async () => {
  for (const file of ["../decoder-2.safetensors", "/etc/passwd", "decoder-2.safetensors/../../x",
    "..\\decoder-2.safetensors", "decoder-2.safetensors\0", ""]) {
    const error = await rejects(done(JSON.stringify({ ...state, file })));
    assert.is(error.code, "bad-state");
    assert.match(error.message, /file is .*: the name of a file of this folder is accepted/);
  }
  for (const nonsense of ["", "{", "null", "[]", JSON.stringify({ ...state, stack: "__proto__" }),
    JSON.stringify({ ...state, layer: -1 }), JSON.stringify({ ...state, batches: 1e12 }),
    JSON.stringify({ key: "run" })]) {
    assert.is((await rejects(done(nonsense))).code, "bad-state", nonsense);
  }
});

test.run();
