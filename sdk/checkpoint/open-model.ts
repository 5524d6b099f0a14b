import { basename } from "node:path";
import { FormatError } from "../errors.js";
import { Model } from "../model/model.js";
import { withChanges } from "./changed-layers.js";
import { CheckpointSource } from "./checkpoint-source.js";
import { type BlockSize, dequantized } from "./dequantized.js";
import { type Family, familyOf, specFromConfig } from "./family.js";
import { mapNames } from "./name-map.js";
import { readConfig } from "./read-config.js";
import { openTensors } from "./safetensors.js";
import { refuseHalfWritten } from "./save-journal.js";
import type { TensorStore } from "./tensor-store.js";

/** A model opened from a folder, with what saving it again needs. */
export interface OpenedModel {
  model: Model;
  folder: string;
  config: Record<string, unknown>;
  family: Family; /** tensors on disk, closed with the model */
  store: TensorStore;
}

/**
 * Opens a Hugging Face folder (config.json and safetensors). Headers are checked at once, weights are read when used.
 *
 * @throws MoeError `no-checkpoint`, `half-written`, `unknown-family`, `missing-tensors`, `unknown-tensors`,
 *   `shape-mismatch`; FormatError for bytes that do not parse
 */
export async function openModel(folder: string,
  options: { id?: string; keep?: boolean; memory?: number; family?: Family } = {}): Promise<OpenedModel> {
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
  const isPair = Array.isArray(size) && size.length === 2
    && size.every((length) => Number.isInteger(length) && length >= 1);
  if (!isPair)
    throw new FormatError("bad-config",
      `load: quantization_config.weight_block_size is ${JSON.stringify(size)} in config.json; accepted are `
        + "two whole numbers from 1. Fetch the file again.");
  return size as unknown as BlockSize;
}
