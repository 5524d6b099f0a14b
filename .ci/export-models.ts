// Saves models unchanged, pruned and merged, each with its own logits, for transformers to load.
// usage: node --import tsx .ci/export-models.ts FOLDER [MODEL ...], folders in the form of the fixtures; default those
// of FAMILIES
import { basename, join } from "node:path";
import { specFromConfig } from "../sdk/checkpoint/family.js";
import { openModel } from "../sdk/checkpoint/open-model.js";
import { openTensors } from "../sdk/checkpoint/safetensors.js";
import { type SaveLayout, saveModel } from "../sdk/checkpoint/save-model.js";
import { writeTensors } from "../sdk/checkpoint/write-safetensors.js";
import { Model } from "../sdk/model/model.js";
import { moeLayers } from "../sdk/model/spec.js";
import { applyPlan } from "../sdk/plan/apply.js";
import type { LayerPlan } from "../sdk/plan/plan.js";
import { keepExperts } from "../sdk/prune/keep-experts.js";
import { encode } from "../sdk/tensor/formats/index.js";
import { ready } from "../sdk/tensor/index.js";

const FAMILIES = ["mixtral", "olmoe", "qwen2_moe", "qwen3_moe", "deepseek_v2", "deepseek_v2_lite", "deepseek_v3",
  "gpt_oss", "switch_transformers"];

/** Pairs become one expert; every output of the router stays. */
const merged = (experts: number): LayerPlan => ({
  slots: Array.from({ length: Math.ceil(experts / 2) }, (_, pair) => {
    const members = [2 * pair, 2 * pair + 1].filter((expert) => expert < experts);
    return { from: members.map((expert) => ({ expert, weight: 1 / members.length })),
      align: { by: "weights" as const, to: "leader" as const } };
  }),
  expertOf: Array.from({ length: experts }, (_, expert) => expert >> 1),
});

/** One expert fewer, or one fewer in every group that a router chooses by. */
const pruned = (experts: number, groups: number): LayerPlan => {
  const size = experts / groups;
  return keepExperts(
    Array.from({ length: experts }, (_, expert) => expert).filter((expert) => expert % size !== size - 1),
    experts,
  );
};

/**
 * Groups of two cannot lose one of their experts, so DeepSeek-V2 and V3 are saved with two groups of four first and
 * pruned after.
 */
async function widerGroups(source: string, folder: string): Promise<string> {
  const { model, config, ...opened } = await openModel(source);
  await saveModel(folder, { spec: await specFromConfig({ ...config, n_group: 2, topk_group: 1 }),
    weights: model.weights }, { config: { ...config, n_group: 2, topk_group: 1 }, family: opened.family,
    original: opened.store, filesFrom: source, overwrite: true });
  await model.dispose();
  return folder;
}

const [target, ...models] = process.argv.slice(2);
await ready();
for (const source of models.length ? models : FAMILIES.map((name) => join("test/fixtures/models", name))) {
  const name = basename(source);
  const opened = await openModel(
    ["deepseek_v2", "deepseek_v3"].includes(name) ? await widerGroups(source, `${target}-wider/${name}`) : source,
  );
  const variants: [string, SaveLayout, ((experts: number, groups: number) => LayerPlan) | undefined][] = [["unchanged",
    "moelab", undefined], ["pruned", "pruned", pruned], ["merged", "expanded", merged]];
  for (const [variant, layout, change] of variants) {
    const folder = join(target, `${name}-${variant}`);
    const layers = change
      ? Object.fromEntries(
        moeLayers(opened.model.spec).map(({ id, ffn }) => [id, change(ffn.experts, ffn.router.groups?.count ?? 1)]),
      )
      : {};
    const plan = { version: 1 as const, for: await opened.model.weights.fingerprint(), method: variant, options: {},
      layers };
    const planned = await applyPlan(opened.model, plan);
    await saveModel(folder, planned, { config: opened.config, family: opened.family, original: opened.store, layout,
      filesFrom: opened.folder, overwrite: true });
    await writeExpected(new Model(name, planned.spec, planned.weights), source, folder);
    console.log(`${name} ${variant}`);
  }
  await opened.model.dispose();
}

/** The inputs of the fixture with the logits of this model. */
async function writeExpected(model: Model, source: string, folder: string): Promise<void> {
  const store = await openTensors(join(source, "expected.safetensors"));
  const tensors = [];
  for (const kase of ["batch", "single"]) {
    const rows = async (name: string) => {
      if (!store.has(`${kase}.${name}`)) return undefined;
      const { shape: [B, T], dtype } = store.info(`${kase}.${name}`);
      tensors.push({ name: `${kase}.${name}`, dtype, shape: [B, T], bytes: await store.bytes(`${kase}.${name}`) });
      const flat = await store.values(`${kase}.${name}`);
      return Array.from({ length: B }, (_, b) => Array.from(flat.subarray(b * T, (b + 1) * T)));
    };
    const { logits, dispose } = await model.forward({ ids: (await rows("input_ids"))!,
      mask: await rows("attention_mask"), decoderIds: await rows("decoder_input_ids") });
    tensors.push({ name: `${kase}.logits`, dtype: "F32" as const, shape: logits.shape,
      bytes: encode((await logits.data()) as Float32Array, "F32") });
    dispose();
  }
  await writeTensors(join(folder, "expected.safetensors"), tensors, tensors);
  await store.close();
}
