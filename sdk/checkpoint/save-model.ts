import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { copyFile, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MoeError } from "../errors.js";
import { expectedTensors } from "../model/expected-tensors.js";
import type { ModelSpec } from "../model/spec.js";
import { encode } from "../tensor/formats/index.js";
import { changesOf } from "./changed-layers.js";
import { familyOf, specFromConfig } from "./family.js";
import { diskNames } from "./name-map.js";
import type { Dtype, WeightSource } from "./weight-source.js";
import { writeTensors } from "./write-safetensors.js";

export interface SaveOptions {
  /** Hugging Face configuration that the spec came from */
  config: Record<string, unknown>;
  /** number format of the weights; default what each tensor is stored in */
  dtype?: Extract<Dtype, "F32" | "F16" | "BF16">;
  /** folder whose tokenizer and generation files are copied */
  filesFrom?: string;
  /** written to moelab.json: where this model comes from, the plan that made it */
  provenance?: Record<string, unknown>;
  /** replace a folder that is already there; default false */
  overwrite?: boolean;
}

const TORCH_NAMES: Record<string, string> = { F32: "float32", F16: "float16", BF16: "bfloat16" };
const KEPT_FILES = /^(tokenizer.*|special_tokens_map|vocab|merges|spiece|generation_config|chat_template)\.(json|txt|model|jinja)$/;

/**
 * Writes a folder in the family's own names: config.json, model.safetensors, tokenizer files, moelab.json with provenance and
 * a sha256 of every file. Merged layers keep their slots: the folder opens again in moelab with the same logits.
 * The folder appears when it is whole; a save that fails leaves nothing.
 *
 * @throws MoeError `folder-exists`
 */
export async function saveModel(folder: string, model: { spec: ModelSpec; weights: WeightSource }, options: SaveOptions): Promise<void> {
  if (existsSync(folder) && !options.overwrite) {
    throw new MoeError("folder-exists", `save: ${folder} is already there; accepted is a new folder. Give another, or say { overwrite: true }.`);
  }
  const { spec, weights } = model;
  const { moelab: _, ...plain } = options.config;
  const family = familyOf(plain);
  const changes = changesOf(spec, await specFromConfig(plain, family));
  const part = `${folder}.part-${process.pid}`;
  await rm(part, { recursive: true, force: true });
  await mkdir(part, { recursive: true });
  try {
    const tensors = expectedTensors(spec).map(({ name, shape }) => ({ canonical: name, name: diskNames(name, family)[0], shape, dtype: options.dtype ?? storable(weights.info(name).dtype) }));
    async function* data() {
      for (const { canonical, name, dtype } of tensors) yield { name, bytes: encode(await weights.values(canonical), dtype) };
    }
    await writeTensors(join(part, "model.safetensors"), tensors, data());
    const dtype = TORCH_NAMES[tensors[0].dtype];
    await writeFile(join(part, "config.json"), `${JSON.stringify({ ...plain, torch_dtype: dtype, ...(changes ? { moelab: changes } : {}) }, null, 2)}\n`);
    if (options.filesFrom) {
      for (const file of await readdir(options.filesFrom)) if (KEPT_FILES.test(file)) await copyFile(join(options.filesFrom, file), join(part, file));
    }
    const files: Record<string, string> = {};
    for (const file of (await readdir(part)).sort()) files[file] = await sha256(join(part, file));
    await writeFile(join(part, "moelab.json"), `${JSON.stringify({ ...options.provenance, files }, null, 2)}\n`);
    await mkdir(dirname(folder), { recursive: true });
    if (options.overwrite) await rm(folder, { recursive: true, force: true });
    await rename(part, folder);
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    throw error;
  }
}

/** Formats that have no encoder of their own here are written as float32. */
function storable(dtype: Dtype): Dtype {
  return dtype in TORCH_NAMES ? dtype : "F32";
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
