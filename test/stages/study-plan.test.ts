import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { moe } from "../../sdk/moe.js";
import { from, load } from "../../sdk/pipeline.js";
import { DISPLAY } from "../../sdk/view/displayable.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("plans of a study");
const data = [{ ids: [[4, 5, 6, 7, 8, 9], [9, 8, 7, 6, 5, 4]], decoderIds: [[0, 5, 6, 9], [0, 7, 8, 4]],
  labels: [[5, 6, 9, 7], [7, 8, 4, 5]] }];
const profiled = await load(fixture("models/switch_transformers")).profile({ data });
const folder = await mkdtemp(join(tmpdir(), "moelab-"));

test("drawn, compared, saved, read again, and applied to the original with the same bytes", async () => {
  const [a, b] = [await from(profiled).merge({ method: "git-rebasin", keep: 0.5, seed: 1 }),
    await from(profiled).merge({ method: "git-rebasin", keep: 0.25, seed: 2 })];
  assert.match(String((await a.plan![DISPLAY]()).data["text/plain"]), "Experts that remain");
  const same = a.plan!.diff(a.plan!);
  assert.is(same.differences.length, 0);
  const { differences } = a.plan!.diff(b.plan!);
  assert.ok(differences.length > 0 && differences.some(({ regrouped }) => regrouped.length > 0));
  const differing = a.plan!.diff(b.plan!);
  assert.match(differing.table().toText(), "differ");
  for (const shown of [a.plan!, differing]) assert.is(`${shown}`, shown.table().toText());
  const path = join(folder, "plan.json");
  await a.plan!.save(path);
  const plan = await moe.loadPlan(path);
  assert.equal(plan, JSON.parse(JSON.stringify(a.plan)));
  const again = await load(fixture("models/switch_transformers")).apply(plan);
  for (const name of a.model.weights.names())
    assert.equal(await again.model.weights.values(name), await a.model.weights.values(name), name);
  assert.is(await again.model.weights.fingerprint(), await a.model.weights.fingerprint());
  // undo: the original is what it was
  assert.is(await a.original.weights.fingerprint(), await profiled.model.weights.fingerprint());
});

test("a plan that weighs by a statistic is applied where the statistic is", async () => {
  const merged = await from(profiled).merge({ method: "m-smoe", keep: 0.5, weights: "fisher" });
  const plan = JSON.parse(JSON.stringify(merged.plan));
  assert.is((await rejects(Promise.resolve(load(fixture("models/switch_transformers")).apply(plan)))).code,
    "tensors-missing");
  const again = await load(fixture("models/switch_transformers")).profile({ data, statistics: ["fisher"] }).apply(plan);
  for (const name of merged.model.weights.names())
    assert.equal(await again.model.weights.values(name), await merged.model.weights.values(name), name);
});

test("hostile files are refused by what is wrong with them", async () => {
  const good = { version: 1, for: "f", method: "m", options: {}, layers: {} };
  const deep = `{"version":1,"for":"f","method":"m","options":{},"layers":${"[".repeat(200_000)}${
    "]".repeat(200_000)
  }}`;
  const texts = ["", "{", "null", "[]", "7", JSON.stringify({ ...good, version: 3 }),
    JSON.stringify({ ...good, more: 1 }),
    JSON.stringify({ ...good, layers: { "layers.0": { slots: [{ from: [] }] } } }),
    JSON.stringify({ ...good, layers: { "layers.0": { slots: [{ from: [{ expert: -1, weight: 1 }] }] } } }),
    JSON.stringify({ ...good, layers: { "layers.0": { router: { mask: [1.5] } } } }),
    `{"version":1,"for":"f","method":"m","options":{},"layers":{"layers.0":{"slots":[{"from":[{"expert":0,"weight":1e999}]}]}}}`,
    JSON.stringify({ ...good, method: "x".repeat(5000) }), deep];
  for (const [index, text] of texts.entries()) {
    const path = join(folder, `bad-${index}.json`);
    await writeFile(path, text);
    const error = await rejects(moe.loadPlan(path));
    assert.is(error.code, "bad-plan", text.slice(0, 60));
    assert.match(error.message, path);
  }
  assert.is((await rejects(moe.loadPlan(join(folder, "none.json")))).code, "no-such-file");
});

test.after(() => rm(folder, { recursive: true }));
test.run();
