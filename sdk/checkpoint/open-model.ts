import { basename } from "node:path";
import { FormatError, MoeError } from "../errors.js";
import { recovered } from "../files/workplace.js";
import { Model } from "../model/model.js";
import type { ModelSpec } from "../model/spec.js";
import { withChanges } from "./changed-layers.js";
import { CheckpointSource } from "./checkpoint-source.js";
import { type BlockSize, dequantized } from "./dequantized.js";
import { underFamilyNames } from "./family-names.js";
import { type Family, familyOf, specFromConfig } from "./family.js";
import { mapNames } from "./name-map.js";
import type { Place } from "./place.js";
import { readConfig } from "./read-config.js";
import { openTensors } from "./safetensors.js";
import { refuseHalfWritten } from "./save-journal.js";
import type { TensorStore } from "./tensor-store.js";
import { tiedWeights, withTiedNames } from "./tied-weights.js";

/** A model opened from a folder, with what saving it again needs. */
export interface OpenedModel {
  model: Model;
  folder: string;
  config: Record<string, unknown>;
  family: Family; /** tensors on disk, closed with the model */
  store: TensorStore;
  /** what was read otherwise than the files say, in sentences */
  notes: readonly string[];
}

/**
 * Opens a Hugging Face folder (config.json and safetensors). Headers are checked at once, weights are read when used.
 *
 * @throws MoeError `no-checkpoint`, `half-written`, `unknown-family`, `missing-tensors`, `unknown-tensors`,
 *   `shape-mismatch`; FormatError for bytes that do not parse
 */
export async function openModel(
  folder: string,
  options: { id?: string; keep?: boolean; memory?: number; family?: Family } = {},
): Promise<OpenedModel> {
  await recovered(folder);
  await refuseHalfWritten(folder);
  const config = await readConfig(folder);
  const { spec, places, store, family, notes } = await openPlaces(folder, config, options.family ?? familyOf(config));
  const source = new CheckpointSource(store, places);
  return { model: new Model(options.id ?? basename(folder), spec, source, options), folder, config, family, store,
    notes };
}

/**
 * The architecture of a checkpoint and where each of its weights lies; only headers are read, and the numbers of
 * weights that the configuration says are shared and that are there twice.
 */
export async function openPlaces(folder: string, config: Record<string, unknown>, asked: Family): Promise<
  { spec: ModelSpec; family: Family; store: TensorStore; places: Map<string, Place>; notes: string[] }
> {
  const base = await specFromConfig(config, asked);
  const said = config.moelab === undefined || asked.storesSpec ? base : withChanges(base, config.moelab);
  const family = withTiedNames(said, asked);
  const read = dequantized(await openTensors(folder), blockSize(config));
  const { store, notes } = underFamilyNames(read, said, family);
  try {
    const tied = await tiedWeights(said, family, store);
    refuseScaled(store);
    return { spec: tied.spec, family, store, places: mapNames(tied.spec, family, store),
      notes: [...notes, ...tied.notes] };
  } catch (error) {
    await read.close();
    if (!(error instanceof MoeError) || notes.length === 0) throw error;
    throw new MoeError(error.code, [error.message, ...notes].join(" "), { cause: error });
  }
}

/** Codes that are read without their scales would be another model: no "unused" of a family file makes them right. */
function refuseScaled(store: TensorStore): void {
  for (const scale of store.names()) {
    const codes = scale.replace(/_scale(_inv|_2)?$/, "");
    if (codes === scale || !store.has(codes)) continue;
    const { dtype, shape } = store.info(codes);
    if (["F64", "F32", "F16", "BF16"].includes(dtype)) continue;
    throw new FormatError("quantized",
      `load: ${codes} is ${dtype} [${shape}] with scales ${scale} [${
        store.info(scale).shape
      }]; accepted are fp8 with one `
        + "scale per block (weight_scale_inv) and MXFP4. Load the checkpoint in bfloat16, or convert it: without its "
        + "scales the model would be another.");
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
