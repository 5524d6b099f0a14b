import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { inspectModel } from "../../sdk/evaluate/inspection.js";
import { moe } from "../../sdk/moe.js";
import { DISPLAY } from "../../sdk/view/displayable.js";
import { fixture } from "../support/shared.js";

const test = suite("inspection");

test("a notebook shows the card and the tensors of a checkpoint", async () => {
  const { data } = await (await moe.inspect(fixture("models/olmoe_bf16")))[DISPLAY]();
  const markup = data["text/html"] as string;
  // four of eight experts run: 52.0k - 36.9k / 2
  for (const part of ["experts per layer", "52.0k, 33.6k active per token", "stored as", "BF16 104 kB",
    "model.layers.*.mlp.experts.*.up_proj.weight"]) assert.ok(markup.includes(part), `${part} is not in ${markup}`);
  assert.not.match(markup, /&lt;/, "markup was escaped twice");
  assert.match(data["text/plain"] as string, /experts per layer +8\n/);
});

test("of a family that is not known, the reason and the tensors", async () => {
  const folder = mkdtempSync(join(tmpdir(), "moelab-inspect-"));
  symlinkSync(fixture("models/mixtral/model.safetensors"), join(folder, "model.safetensors"));
  writeFileSync(join(folder, "config.json"), JSON.stringify({ model_type: "<new>" }));
  const inspection = await inspectModel(folder);
  assert.match(inspection.problem!, /model_type is "<new>"/);
  assert.match(String((await inspection[DISPLAY]()).data["text/html"]), "&lt;new&gt;");
  assert.is(inspection.tensors.reduce((sum, { tensors }) => sum + tensors, 0), 65);
  rmSync(folder, { recursive: true });
});

test("a file alone has no card", async () => {
  const inspection = await inspectModel(fixture("dtypes.safetensors"));
  assert.equal(inspection.card, []);
  assert.match(inspection.toText(), /^part /);
});

test.run();
