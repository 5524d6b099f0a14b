// Saves packed models as compressed-tensors, each with its restored weights and logits, for transformers to load.
// usage: node --import tsx .ci/export-packed.ts FOLDER
import { rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { openModel } from "../sdk/checkpoint/open-model.js";
import { saveModel } from "../sdk/checkpoint/save-model.js";
import { expectedTensors } from "../sdk/model/expected-tensors.js";
import { applyPlan } from "../sdk/plan/apply.js";
import type { GroupedFormat } from "../sdk/tensor/formats/number-format.js";

const [out] = process.argv.slice(2);
const fixtures = fileURLToPath(new URL("../test/fixtures/", import.meta.url));
const four: GroupedFormat = { kind: "grouped", bits: 4, group: 16, zero: "none", scales: "F16" };
const eight: GroupedFormat = { ...four, bits: 8, group: 0 };
const isLinear = (name: string) => /\.(attention|experts\.\d+|ffn)\.(q|k|v|o|gate|up|down)$/.test(name);

const cases: Record<string, { base: string; format: (name: string) => GroupedFormat | undefined }> = {
  // transformers holds the experts of an MoE fused: they must all be of one kind there
  "mixtral-w4a16": { base: "quantised/ct-nvfp4a16", format: () => four },
  "mixtral-w8a16": { base: "quantised/ct-nvfp4a16", format: () => eight },
  "mixtral-from-gptq": { base: "quantised/gptq-v1-4bit", format: () => undefined },
  "llama-mixed": { base: "models/llama", format: (name) => (/attention/.test(name) ? eight : four) },
  "llama-asymmetric": { base: "models/llama",
    format: (name) => (name.endsWith("down") ? { ...four, zero: "integer" } : { ...four, bits: 3 }) },
};

await rm(out, { recursive: true, force: true });
for (const [name, { base, format }] of Object.entries(cases)) {
  const opened = await openModel(fixtures + base);
  const weights = Object.fromEntries(expectedTensors(opened.model.spec).flatMap(({ name }) => {
    const asked = isLinear(name) ? format(name) : undefined;
    return asked ? [[name, { format: asked, fit: { by: "nearest" } }]] : [];
  }));
  const model = await applyPlan(opened.model, { version: 2, for: await opened.model.weights.fingerprint(),
    method: "nearest", options: {}, layers: {}, weights });
  await saveModel(`${out}/${name}`, model, { config: opened.config, family: opened.family, original: opened.store,
    format: "compressed-tensors" });
  const saved = await openModel(`${out}/${name}`), ids = [[5, 9, 30, 17, 7, 22, 3, 13]];
  const { logits } = await saved.model.forward({ ids });
  await saveModel(`${out}/${name}/restored`, saved.model, { config: saved.config, family: saved.family,
    original: saved.store, dtype: "F32" });
  await writeFile(`${out}/${name}/moelab-logits.json`,
    JSON.stringify({ ids, logits: Array.from(await logits.data()) }));
  await Promise.all([opened.model.dispose(), saved.model.dispose()]);
}
