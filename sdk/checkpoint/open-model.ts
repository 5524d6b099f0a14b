import { basename } from "node:path";
import { FormatError, MoeError } from "../errors.js";
import { recovered } from "../files/workplace.js";
import { Model } from "../model/model.js";
import type { ModelSpec } from "../model/spec.js";
import { withChanges } from "./changed-layers.js";
import { CheckpointSource } from "./checkpoint-source.js";
import { underFamilyNames } from "./family-names.js";
import { type Family, familyOf, specFromConfig } from "./family.js";
import { mapNames } from "./name-map.js";
import { packedStore } from "./packed-store.js";
import type { Settings } from "./packed/layout.js";
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
  const formats = (config.moelab as { formats?: unknown } | null | undefined)?.formats;
  const settings = { ...(config.quantization_config ?? {}), ...(formats ? { formats } : {}) } as Settings;
  const files = await openTensors(folder);
  const notes: string[] = [];
  try {
    const read = await packedStore(files, settings);
    const { store, notes: renamed } = underFamilyNames(read.store, said, family);
    notes.push(...read.notes, ...renamed);
    const tied = await tiedWeights(said, family, store);
    const places = mapNames(tied.spec, family, store);
    refuseBareCodes(store, places.values());
    return { spec: tied.spec, family, store, places, notes: [...notes, ...tied.notes] };
  } catch (error) {
    await files.close();
    const said = [...notes, ...unreadMethod(settings)];
    if (!(error instanceof MoeError) || said.length === 0) throw error;
    throw new MoeError(error.code, [error.message, ...said].join(" "), { cause: error });
  }
}

/** Quantisations that the layouts of `packed/` come from. */
const METHODS = ["compressed-tensors", "gptq", "awq", "bitsandbytes", "hqq", "fp8", "fbgemm_fp8", "mxfp4", "modelopt"];

/** A sentence about a quantisation that nobody here reads. */
function unreadMethod({ quant_method: method }: { quant_method?: unknown }): string[] {
  if (method === undefined || METHODS.includes(String(method))) return [];
  return [
    `config.json says quant_method ${JSON.stringify(method)}; read are ${METHODS.join(", ")}. Convert it to one `
    + "of these, or load it unquantised.",
  ];
}

/** Codes that are read without their scales would be another model: no "unused" of a family file makes them right. */
function refuseBareCodes(store: TensorStore, places: Iterable<Place>): void {
  const codes = new Map<string, string>(), read = new Set<string>();
  for (const { name } of places) {
    read.add(name);
    const { dtype, format } = store.info(name);
    if (!format && !["F64", "F32", "F16", "BF16"].includes(dtype)) codes.set(name.replace(/\.weight$/, ""), name);
  }
  if (codes.size === 0) return;
  for (const beside of store.names()) {
    if (read.has(beside)) continue;
    const owner = [/[._][^._]+$/, /(?:_[a-z0-9]+)+$/i, /\.weight[._].*$/, /\.[^.]+$/].map((ending) =>
      beside.replace(ending, "")
    ).find((base) => codes.has(base));
    if (owner === undefined) continue;
    const [code, by] = [store.info(codes.get(owner)!), store.info(beside)];
    throw new FormatError("quantized",
      `load: ${
        codes.get(owner)
      } is ${code.dtype} [${code.shape}] beside ${beside}, ${by.dtype} [${by.shape}]; accepted `
        + "are codes with scales whose name ends with _scale or _scale_inv, and the packings of docs/checkpoints.md. "
        + "Load the checkpoint in bfloat16, or convert it: without its scales the model would be another.");
  }
}
