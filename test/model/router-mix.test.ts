import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Model } from "../../sdk/model/model.js";
import { from, load } from "../../sdk/pipeline.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import type { LayerPlan, Plan } from "../../sdk/plan/plan.js";
import { ready } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("mixed scores of routers");
await ready();

const batch = { ids: [[4, 5, 6, 7, 8, 9, 10, 11], [11, 3, 9, 8, 7, 6, 0, 0]],
  mask: [[1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 0, 0]] };
const { model } = (await load(fixture("models/mixtral"))).state;
const { experts: E, router: { topK } } = model.spec.decoder.layers[0].ffn as { experts: number;
  router: { topK: number } };
const all = Array.from({ length: E }, (_, e) => e);
const mix = [0, 1, 2].map((row) => all.map((e) => (e === row ? 0.9 : Math.fround(Math.cos(row * 5 + e) / 8))));
const mixed: LayerPlan = { slots: [0, 1, 2].map((expert) => ({ from: [{ expert, weight: 1 }] })), expertOf: [0, 1, 2],
  router: { mix } };

async function planOf(layer: LayerPlan): Promise<Plan> {
  return { version: 2, for: await model.weights.fingerprint(), method: "test", options: {},
    layers: { "layers.0": layer } };
}

async function changed(layer: LayerPlan, memory?: number): Promise<Model> {
  const { spec, weights } = await applyPlan(model, await planOf(layer));
  return new Model("changed", spec, weights, { memory });
}

async function recorded(model: Model) {
  const forward = await model.forward(batch, { record: { routing: true } });
  const { logits, experts, gates, output } = forward.routing["layers.0"];
  const read = { logits: await logits.array(), experts: await experts.array(), gates: await gates.array(),
    output: await output.data(), all: await forward.logits.data() };
  forward.dispose();
  return read;
}

test("a layer that is larger than memory computes the same, and so does the saved model", async () => {
  for (const layer of [mixed]) {
    const whole = await recorded(await changed(layer));
    const small = await changed(layer, 60_000);
    close((await recorded(small)).all, whole.all, 1e-4, "streamed");
    const folder = join(await mkdtemp(join(tmpdir(), "moelab-mix-")), "model");
    const study = await from(await load(fixture("models/mixtral"))).apply(await planOf(layer));
    await from(study).save(folder);
    const again = (await load(folder)).state.model;
    assert.equal(again.spec.decoder.layers[0].ffn, study.model.spec.decoder.layers[0].ffn);
    close((await recorded(again)).all, whole.all, 1e-6, "saved");
    await again.dispose();
  }
});

test("scores are mixed before the choice, and gates are shares of what was chosen", async () => {
  const before = await recorded(model);
  const after = await recorded(await changed(mixed));
  before.logits.forEach((row, n) => {
    const exps = row.map((value) => Math.exp(value - Math.max(...row)));
    const total = exps.reduce((a, b) => a + b, 0);
    const scores = mix.map((weights) => weights.reduce((sum, w, e) => sum + (w * exps[e]) / total, 0));
    const order = [0, 1, 2].sort((a, b) => scores[b] - scores[a]).slice(0, topK);
    if (after.experts[n][0] < 0) return;
    assert.equal(after.experts[n], order);
    const sum = order.reduce((all, e) => all + scores[e], 0);
    close(after.gates[n], order.map((e) => scores[e] / sum), 1e-5, `token ${n}`);
  });
});

test("rows of the identity choose as a router whose other rows are cut out", async () => {
  const keep = [0, 2];
  const slots = keep.map((expert) => ({ from: [{ expert, weight: 1 }] }));
  const one = await recorded(
    await changed({ slots, expertOf: [0, 1], router: { mix: keep.map((row) => all.map((e) => (e === row ? 1 : 0))) } }),
  );
  const other = await recorded(
    await changed({ slots, expertOf: all.map((e) => keep.indexOf(e)), router: { rows: keep } }),
  );
  close(one.all, other.all, 1e-4, "logits");
});

test("gates whose sum is not positive are nothing, not infinite", async () => {
  const after = await recorded(await changed({ ...mixed, router: { mix: mix.map((row) => row.map(() => -1)) } }));
  assert.ok(after.gates.flat().every((gate) => gate === 0));
  assert.ok(after.all.every(Number.isFinite));
});

test("a plan that mixes badly is told so", async () => {
  const refused = async (layer: LayerPlan, what: RegExp) => {
    const error = await rejects(changed(layer));
    assert.is(error.code, "bad-plan");
    assert.match(error.message, what);
  };
  await refused({ ...mixed, router: { mix: mix.map((row) => row.slice(1)) } }, /row of layers\.0\.router\.mix has/);
  await refused({ ...mixed, router: { mix: [mix[0]] }, expertOf: [0] }, /a token takes 2/);
  await refused({ ...mixed, router: { mix, mask: [0] } }, /beside rows, a mask/);
  await refused({ ...mixed, expertOf: all }, /has 3 outputs|entries/);
  const study = await from(await load(fixture("models/mixtral"))).apply(await planOf(mixed));
  const error = await rejects(from(study).save(join(tmpdir(), "moelab-never"), { layout: "expanded" }));
  assert.is(error.code, "not-exportable");
});

test.run();
