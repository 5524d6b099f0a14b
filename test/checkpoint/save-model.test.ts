import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { configText } from "../../sdk/checkpoint/config-text.js";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { saveModel, type SaveOptions } from "../../sdk/checkpoint/save-model.js";
import type { Model } from "../../sdk/model/model.js";
import { Model as PlainModel } from "../../sdk/model/model.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import type { LayerPlan } from "../../sdk/plan/plan.js";
import { keepExperts } from "../../sdk/prune/keep-experts.js";
import { ready } from "../../sdk/tensor/index.js";
import { logitsAsReported, withAltered } from "../support/altered-fixture.js";
import { close } from "../support/close.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("saveModel");
await ready();
let folder = "";
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), "moelab-save-"));
});
test.after.each(() => rmSync(folder, { recursive: true }));

async function changed(name: string, layerPlan: (experts: number) => LayerPlan) {
  const opened = await openModel(fixture(`models/${name}`));
  const layers = Object.fromEntries(moeLayers(opened.model.spec).map(({ id, ffn }) => [id, layerPlan(ffn.experts)]));
  const plan = { version: 1 as const, for: await opened.model.weights.fingerprint(), method: "test", options: {},
    layers };
  const { spec, weights } = await applyPlan(opened.model, plan);
  return { opened, model: new PlainModel("changed", spec, weights) };
}
const merged = (experts: number): LayerPlan => ({
  slots: [{ from: [{ expert: 0, weight: 0.3 }, { expert: 1, weight: 0.7 }] },
    ...Array.from({ length: experts - 2 }, (_, at) => ({ from: [{ expert: at + 2, weight: 1 }] }))],
  expertOf: Array.from({ length: experts }, (_, expert) => Math.max(0, expert - 1)),
});
const options = ({ config, family, store, folder: filesFrom }: Awaited<ReturnType<typeof openModel>>): SaveOptions => ({
  config,
  family,
  original: store,
  filesFrom,
});

async function logits(model: Model): Promise<Float32Array> {
  const ids = [[5, 9, 2, 31, 7, 64, 12, 3]];
  const forward = await model.forward({ ids, mask: [ids[0].map(() => 1)],
    ...(model.spec.encoder ? { decoderIds: [[0, 4, 8]] } : {}) });
  const values = (await forward.logits.data()) as Float32Array;
  forward.dispose();
  return values.slice();
}

for (const name of ["mixtral", "gpt_oss", "dbrx", "granitemoe", "deepseek_v2_lite", "olmoe_bf16", "switch_transformers",
  "ernie4_5_moe", "mellum", "qwen3_vl_moe", "exaone_moe", "hy_v3", "granitemoe_swa", "glm4v_moe", "qwen3_5_moe",
  "qwen3_5_moe_text", "granitemoehybrid", "nemotron_h", "glm_moe_dsa", "flint", "aria", "qwen3_omni_moe_thinker"]) {
  test(`${name}: unchanged, its tensors are the original's, byte by byte`, async () => {
    const opened = await openModel(fixture(`models/${name}`));
    await saveModel(join(folder, "out"), opened.model, options(opened));
    const again = await openModel(join(folder, "out"));
    assert.equal([...again.store.names()].sort(), [...opened.store.names()].sort());
    for (const tensor of opened.store.names()) {
      assert.equal(again.store.info(tensor), opened.store.info(tensor), tensor);
      assert.ok(Buffer.from(await again.store.bytes(tensor)).equals(await opened.store.bytes(tensor)), tensor);
    }
    await opened.model.dispose();
    await again.model.dispose();
  });

  test(`${name}: merged, every layout has the same logits`, async () => {
    const { opened, model } = await changed(name, merged);
    const expected = await logits(model);
    for (const layout of ["moelab", "expanded"] as const) {
      const saved = await saveModel(join(folder, layout), model, { ...options(opened), layout });
      assert.ok(saved.layouts.expanded! > saved.layouts.moelab!);
      const again = await openModel(join(folder, layout));
      close(await logits(again.model), expected, 1e-5, layout);
      await again.model.dispose();
    }
    assert.match(
      (await rejects(saveModel(join(folder, "no"), model, { ...options(opened), layout: "pruned" }))).message,
      /share an expert/,
    );
    await model.dispose();
    await opened.model.dispose();
  });

  test(`${name}: pruned, the configuration says fewer experts`, async () => {
    const { opened, model } = await changed(name, (experts) =>
      keepExperts(Array.from({ length: experts - 1 }, (_, at) => at), experts));
    const before = moeLayers(opened.model.spec)[0].ffn.experts;
    await saveModel(join(folder, "out"), model, { ...options(opened), layout: "pruned" });
    const again = await openModel(join(folder, "out"));
    assert.is(again.config.moelab, undefined);
    assert.is(moeLayers(again.model.spec)[0].ffn.experts, before - 1);
    close(await logits(again.model), await logits(model), 1e-5, "logits");
    for (const each of [again.model, model, opened.model]) await each.dispose();
  });
}

test("floats of a configuration stay floats", () => {
  const like = "{\"limit\": 7.0, \"big\": 1e4, \"name\": \"x \\\" 8.0\", \"list\": [1.0, 2], \"half\": 0.5, "
    + "\"count\": 3.0, \"nest\": {\"a\": -2.0}}";
  const text = configText({ limit: 7, big: 10000, name: "x \" 8.0", list: [1, 2], half: 0.5, count: 4, nest: { a: -2 },
    more: 7 }, like);
  assert.equal(JSON.parse(text), { limit: 7, big: 10000, name: "x \" 8.0", list: [1, 2], half: 0.5, count: 4,
    nest: { a: -2 }, more: 7 });
  for (const part of ["\"limit\": 7.0,", "\"big\": 1e4,", "1.0,", "\"count\": 4,", "\"a\": -2.0", "\"more\": 7\n"])
    assert.ok(text.includes(part), `${part} in ${text}`);
});

test("layers of different sizes cannot be pruned, and the reason names them", async () => {
  const opened = await openModel(fixture("models/mixtral"));
  const id = moeLayers(opened.model.spec)[0].id;
  const plan = { version: 1 as const, for: await opened.model.weights.fingerprint(), method: "test", options: {},
    layers: { [id]: keepExperts([0, 1, 2], moeLayers(opened.model.spec)[0].ffn.experts) } };
  const model = await applyPlan(opened.model, plan);
  const error = await rejects(saveModel(join(folder, "out"), model, { ...options(opened), layout: "pruned" }));
  assert.is(error.code, "not-exportable");
  assert.match(error.message, /the layers have 3, \d experts/);
  await opened.model.dispose();
});

test("dropped blocks and cut routers are there again in the default layout", async () => {
  const opened = await openModel(fixture("models/mixtral"));
  const [first, second] = moeLayers(opened.model.spec);
  const plan = { version: 1 as const, for: await opened.model.weights.fingerprint(), method: "test", options: {},
    layers: { [first.id]: { drop: "attention" as const }, [second.id]: { router: { rows: [2, 0, 1], topK: 1 } } } };
  const changedModel = await applyPlan(opened.model, plan);
  const model = new PlainModel("changed", changedModel.spec, changedModel.weights);
  await saveModel(join(folder, "out"), { spec: model.spec, weights: model.weights }, options(opened)).catch(
    async (error) => {
      // a cut router leaves experts that nobody reaches; they are stored all the same
      throw error;
    },
  );
  const again = await openModel(join(folder, "out"));
  close(await logits(again.model), await logits(model), 1e-5, "logits");
  for (const each of [again.model, model, opened.model]) await each.dispose();
});

test("a sharded folder, with hashes, card and no half-written state", async () => {
  const opened = await openModel(fixture("models/olmoe"));
  const saved = await saveModel(join(folder, "out"), opened.model, { ...options(opened), maxShardBytes: 100_000,
    provenance: { model: "olmoe", steps: [{ stage: "load", options: { model: "olmoe" } }] } });
  assert.ok(saved.files.filter(({ name }) => /^model-\d{5}-of-\d{5}\.safetensors$/.test(name)).length > 1);
  const { files } = JSON.parse(readFileSync(join(folder, "out", "moelab.json"), "utf8"));
  assert.equal(Object.keys(files).sort(),
    readdirSync(join(folder, "out")).filter((name) => name !== "moelab.json").sort());
  assert.match(readFileSync(join(folder, "out", "README.md"), "utf8"), /Made from olmoe/);
  const again = await openModel(join(folder, "out"));
  assert.equal(await logits(again.model), await logits(opened.model));
  await again.model.dispose();
  await opened.model.dispose();
});

test("a save that fails or is stopped leaves nothing; one that was killed is cleared away and never was a " + "model",
  async () => {
    const opened = await openModel(fixture("models/olmoe"));
    const stop = new AbortController();
    const error = await rejects(
      saveModel(join(folder, "out"), opened.model, { ...options(opened), signal: stop.signal, onProgress: () =>
        stop.abort() }),
    );
    assert.is(error.code, "aborted");
    assert.equal(readdirSync(folder), []);
    let seen: string[] = [];
    await saveModel(join(folder, "out"), opened.model, { ...options(opened), onProgress: () => {
      seen = readdirSync(folder).flatMap((name) => readdirSync(join(folder, name)));
    } });
    assert.not.ok(seen.includes("config.json"), "a folder becomes a model with its last file");
    assert.ok(existsSync(join(folder, "out", "config.json")));
    await rejects(saveModel(join(folder, "out"), opened.model, options(opened)));
    await opened.model.dispose();
  });

test("save-bf16-choice-bias of the reports: what chooses experts stays float32, nothing changes", async () => {
  const opened = await openModel(fixture("reports/save-bf16-choice-bias"));
  await saveModel(join(folder, "half"), opened.model, { ...options(opened), dtype: "BF16" });
  const again = await openModel(join(folder, "half"));
  await logitsAsReported("save-bf16-choice-bias", again);
  const dtypes = Object.fromEntries([...again.store.names()].map((name) => [name, again.store.info(name).dtype]));
  const kept = Object.keys(dtypes).filter((name) => dtypes[name] === "F32").map((name) => name.replace(/\d+/, "*"));
  assert.equal([...new Set(kept)].sort(), ["model.layers.*.mlp.gate.e_score_correction_bias",
    "model.layers.*.mlp.gate.weight"]);
  assert.is(dtypes["model.embed_tokens.weight"], "BF16");
  await again.model.dispose();
  await opened.model.dispose();
});

for (const name of ["deepseek_v3", "dots1", "ernie4_5_moe", "glm4_moe", "lfm2_moe"]) {
  test(`${name}: the choice bias stays float32 in both half formats`, async () => {
    const opened = await openModel(fixture(`models/${name}`));
    for (const dtype of ["BF16", "F16"] as const) {
      await saveModel(join(folder, dtype), opened.model, { ...options(opened), dtype });
      const again = await openModel(join(folder, dtype));
      const biases = [...again.model.weights.names()].filter((weight) => weight.endsWith(".choiceBias"));
      assert.ok(biases.length > 0);
      for (const bias of biases) {
        assert.is(again.model.weights.info(bias).dtype, "F32");
        assert.equal(await again.model.weights.values(bias), await opened.model.weights.values(bias));
      }
      await again.model.dispose();
    }
    await opened.model.dispose();
  });
}

test("t5 in F16 keeps the second matrix of its blocks in float32, as transformers does", async () => {
  const opened = await openModel(fixture("models/t5"));
  await saveModel(join(folder, "half"), opened.model, { ...options(opened), dtype: "F16" });
  const again = await openModel(join(folder, "half"));
  assert.is(again.store.info("encoder.block.0.layer.1.DenseReluDense.wo.weight").dtype, "F32");
  assert.is(again.store.info("encoder.block.0.layer.0.SelfAttention.q.weight").dtype, "F16");
  await again.model.dispose();
  await opened.model.dispose();
});

test("a number that F16 does not hold is no infinity on disk", async () => {
  const [name, large] = ["model.layers.0.self_attn.q_proj.weight", 70_000];
  await withAltered("qwen3",
    (all) =>
      all.map((each) =>
        each.name === name ? { ...each, values: each.values.map((value, i) => (i === 3 ? large : value)) } : each
      ), async (opened) => {
    const error = await rejects(saveModel(join(folder, "half"), opened.model, { ...options(opened), dtype: "F16" }));
    assert.match(error.message, /q_proj\.weight holds 70000, which is infinite in F16.*BF16/);
    assert.ok(!existsSync(join(folder, "half")));
  });
});

test.run();
