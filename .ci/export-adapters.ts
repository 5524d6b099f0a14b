// Saves adapters, read and combined, each with the logits that the base gives with it, for peft to load.
// usage: node --import tsx .ci/export-adapters.ts FOLDER
import { rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Adapter, readAdapter } from "../sdk/compose/adapter.js";
import { combineAdapters } from "../sdk/compose/combine-adapters.js";
import { saveAdapter } from "../sdk/compose/save-adapter.js";
import { moe } from "../sdk/moe.js";

const [out] = process.argv.slice(2);
const fixtures = fileURLToPath(new URL("../test/fixtures/", import.meta.url));
const load = (name: string) => readAdapter(`${fixtures}adapters/${name}`);
const ids = [[5, 9, 2, 17, 30, 8, 44]];

await rm(out, { recursive: true, force: true });
const [a, b, rs, mlp] = await Promise.all(["qv_r4", "qv_r4_b", "attn_r8_rslora", "mlp_r2"].map(load));
const made: Record<string, { base: string; adapter: Adapter }> = {};
for (const [name, base] of [["patterns_rslora", "llama"], ["embed_head", "llama"], ["modules_to_save", "llama"], [
  "all_linear_r3_dora",
  "llama",
], ["mixtral_experts_fused", "mixtral"], ["bert_qv_r8", "bert"]])
  made[name] = { base, adapter: await load(name) };
made.cat = { base: "llama", adapter: combineAdapters([rs, a, mlp], { weights: [0.4, 0.6, -0.25] }) };
made.ties = { base: "llama", adapter: combineAdapters([a, b], { by: "ties", density: 0.5 }) };
made.dare_ties_svd = { base: "llama",
  adapter: combineAdapters([a, rs], { by: "dare_ties_svd", density: 0.7, seed: 3 }) };
for (const [name, { base, adapter }] of Object.entries(made)) {
  await saveAdapter(adapter, `${out}/${name}`);
  const study = await moe.load(`${fixtures}models/${base}`).adapt(adapter);
  const { logits } = await study.model.forward({ ids });
  await writeFile(`${out}/${name}/moelab-logits.json`,
    JSON.stringify({ base: `${fixtures}models/${base}`, ids, logits: Array.from(await logits.data()) }));
}
