import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { FormatError, MoeError } from "../errors.js";
import { Model } from "../model/model.js";
import { withChanges } from "./changed-layers.js";
import { CheckpointSource } from "./checkpoint-source.js";
import { dequantized, type BlockSize } from "./dequantized.js";
import { familyOf, specFromConfig, type Family } from "./family.js";
import { mapNames } from "./name-map.js";
import { refuseHalfWritten } from "./save-journal.js";
import { openTensors } from "./safetensors.js";
import type { TensorStore } from "./tensor-store.js";

const MAX_CONFIG_BYTES = 16 << 20;

/** A model opened from a folder, with what saving it again needs. */
export interface OpenedModel { model: Model; folder: string; config: Record<string, unknown>; family: Family; /** tensors on disk, closed with the model */ store: TensorStore }

/**
 * Opens a Hugging Face folder (config.json and safetensors). Headers are checked at once, weights are read when used.
 *
 * @throws MoeError `no-checkpoint`, `half-written`, `unknown-family`, `missing-tensors`, `unknown-tensors`, `shape-mismatch`; FormatError for bytes that do not parse
 */
export async function openModel(folder: string, options: { id?: string; keep?: boolean; memory?: number; family?: Family } = {}): Promise<OpenedModel> {
  await refuseHalfWritten(folder);
  const config = await readConfig(folder);
  const family = options.family ?? familyOf(config);
  const base = await specFromConfig(config, family);
  const spec = config.moelab === undefined ? base : withChanges(base, config.moelab);
  const store = dequantized(await openTensors(folder), blockSize(config));
  try {
    const source = new CheckpointSource(store, mapNames(spec, family, store));
    return { model: new Model(options.id ?? basename(folder), spec, source, options), folder, config, family, store };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Rows and columns that share a scale in an fp8 checkpoint. @throws FormatError `bad-config` */
function blockSize({ quantization_config: quantization }: Record<string, unknown>): BlockSize | undefined {
  const size = (quantization as { weight_block_size?: unknown } | null | undefined)?.weight_block_size ?? undefined;
  if (size === undefined) return undefined;
  const isPair = Array.isArray(size) && size.length === 2 && size.every((length) => Number.isInteger(length) && length >= 1);
  if (!isPair) throw new FormatError("bad-config", `load: quantization_config.weight_block_size is ${JSON.stringify(size)} in config.json; accepted are two whole numbers from 1. Fetch the file again.`);
  return size as unknown as BlockSize;
}

/** config.json of a folder as an object. @throws MoeError `no-checkpoint`; FormatError `bad-config` */
export async function readConfig(folder: string): Promise<Record<string, unknown>> {
  const path = join(folder, "config.json");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new MoeError("no-checkpoint", `load: ${path} cannot be read (${(error as NodeJS.ErrnoException).code}); accepted is a folder with config.json and safetensors. Check the path.`, { cause: error });
  }
  if (text.length > MAX_CONFIG_BYTES) throw new FormatError("bad-config", `load: ${path} has ${text.length} bytes; accepted are ${MAX_CONFIG_BYTES}. This is no model configuration.`);
  try {
    const config: unknown = JSON.parse(text);
    if (typeof config === "object" && config !== null && !Array.isArray(config)) return config as Record<string, unknown>;
  } catch (error) {
    throw new FormatError("bad-config", `load: ${path} is not JSON (${(error as Error).message}); accepted is a JSON object. Fetch the file again.`, { cause: error });
  }
  throw new FormatError("bad-config", `load: ${path} holds no object; accepted is a JSON object. Fetch the file again.`);
}
