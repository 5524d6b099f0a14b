import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type TensorData, type TensorToWrite, writeTensors } from "../checkpoint/write-safetensors.js";
import { MoeError } from "../errors.js";
import { cannotWrite } from "../files/cannot-write.js";
import { encode } from "../tensor/formats/index.js";
import type { Matrix } from "../tensor/linalg/index.js";
import { type Adapter, turned } from "./adapter.js";

/**
 * Writes an adapter as peft reads it: adapter_model.safetensors in float32, and adapter_config.json last.
 *
 * @throws MoeError `folder-exists`, `cannot-write`, `disk-full`
 * @example await saveAdapter(adapter, "out/both");  // PeftModel.from_pretrained(base, "out/both")
 */
export async function saveAdapter(adapter: Adapter, folder: string): Promise<void> {
  if (existsSync(folder))
    throw new MoeError("folder-exists", `save: ${folder} is already there; accepted is a new folder. Give another.`);
  const values = new Map<string, { shape: number[]; values: Float32Array }>();
  const add = (name: string, { rows, columns, data }: Matrix) =>
    values.set(`base_model.model.${name}`, { shape: [rows, columns], values: Float32Array.from(data) });
  for (const [path, { a, b, magnitude, bias, embedding }] of adapter.modules) {
    add(`${path}.${embedding ? "lora_embedding_A" : "lora_A.weight"}`, embedding ? turned(b) : a);
    add(`${path}.${embedding ? "lora_embedding_B" : "lora_B.weight"}`, embedding ? turned(a) : b);
    for (const [name, vector] of [["lora_magnitude_vector", magnitude], ["lora_B.bias", bias]] as const)
      if (vector) values.set(`base_model.model.${path}.${name}`, { shape: [vector.length], values: vector });
  }
  for (const [name, whole] of adapter.whole) values.set(`base_model.model.${name}`, whole);
  for (const [name, { at, values: rows }] of adapter.rows) {
    values.set(`base_model.model.${name.replace(/\.weight$/, "")}.token_adapter.trainable_tokens_delta`, {
      shape: [at.length, rows.length / at.length],
      values: rows,
    });
  }
  const saved = [...adapter.whole.keys()].map((name) => name.replace(/\.weight$/, ""));
  const config = { peft_type: "LORA", base_model_name_or_path: null, task_type: null, inference_mode: true,
    bias: "none", lora_dropout: 0, ...adapter.config, modules_to_save: saved.length > 0 ? saved : null };
  const tensors = [...values].map(([name, { shape }]): TensorToWrite => ({ name, dtype: "F32", shape }));
  const data = [...values].map(([name, { values }]): TensorData => ({ name, bytes: encode(values, "F32") }));
  let made = false;
  try {
    await mkdir(dirname(folder), { recursive: true });
    await mkdir(folder);
    made = true;
    await writeTensors(join(folder, "adapter_model.safetensors"), tensors, data);
    await writeFile(join(folder, "adapter_config.json"), `${JSON.stringify(config, null, 2)}\n`);
  } catch (error) {
    if (made) await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    throw cannotWrite("save", folder, error);
  }
}
