import { isDeepStrictEqual } from "node:util";
import { topTensors } from "../model/expected-tensors.js";
import type { ModelSpec } from "../model/spec.js";
import { type Family, specFromConfig } from "./family.js";
import { diskNames } from "./name-map.js";
import type { TensorStore } from "./tensor-store.js";

/** What is compared at a time. */
const PIECE_BYTES = 8 << 20;

/** The weights that the configuration says have the embedding's matrix. */
function sharersOf(spec: ModelSpec): string[] {
  return [...(spec.head.tied ? ["head"] : []), ...(spec.encoder?.embedding.shared ? ["encoder.embed"] : [])];
}

/** Weights that share a matrix may lie under the name of any of them: where only one is there, it is that of all. */
export function withTiedNames(spec: ModelSpec, family: Family): Family {
  const embed = ["embed", ...sharersOf(spec)].flatMap((canonical) => family.names[canonical] ?? []);
  return { ...family, names: { ...family.names, embed } };
}

/**
 * Checks weights that share a matrix by config.json against the numbers on disk. One that has a matrix of its own there
 * is not shared, as in transformers 5.
 *
 * @param family with the names of `withTiedNames`
 * @returns the model as the checkpoint has it, and a sentence for everything that config.json says otherwise
 */
export async function tiedWeights(
  spec: ModelSpec,
  family: Family,
  store: TensorStore,
): Promise<{ spec: ModelSpec; notes: string[] }> {
  const found = (canonical: string) => diskNames(canonical, family).find((name) => store.has(name));
  const embed = found("embed");
  const checked = structuredClone(spec);
  const notes: string[] = [];
  for (const canonical of embed === undefined ? [] : sharersOf(spec)) {
    const own = found(canonical);
    if (own === undefined || own === embed || (await sameNumbers(store, own, embed!))) continue;
    if (canonical === "head") checked.head.tied = false;
    else checked.encoder!.embedding.shared = false;
    notes.push(
      `load: ${own} differs from ${embed}, which config.json's tie_word_embeddings says it shares; the model `
        + "runs with both, as transformers 5 does.",
    );
  }
  return { spec: checked, notes: [...notes, ...(await droppedCopies(checked, family, store))] };
}

/** A sentence for each tensor that could be a weight outside the layers, is not run, and is no copy of what is. */
async function droppedCopies(spec: ModelSpec, family: Family, store: TensorStore): Promise<string[]> {
  const weights = topTensors(spec).map(({ name }) => diskNames(name, family).filter((each) => store.has(each)));
  const run = new Set(weights.map(([used]) => used));
  const notes: string[] = [];
  for (const [used, ...others] of weights) {
    for (const name of others.filter((each) => !run.has(each))) {
      run.add(name);
      if (!(await sameNumbers(store, name, used)))
        notes.push(`load: ${name} differs from ${used}, which the model runs; it is left out.`);
    }
  }
  return notes;
}

/** Whether two tensors hold the same, read piece by piece until they differ. */
async function sameNumbers(store: TensorStore, left: string, right: string): Promise<boolean> {
  const [one, other] = [store.info(left), store.info(right)];
  if (one.shape.join() !== other.shape.join()) return false;
  if (one.dtype === other.dtype) {
    for (let start = 0; start < one.sizeBytes; start += PIECE_BYTES) {
      const range = { start, end: Math.min(one.sizeBytes, start + PIECE_BYTES) };
      if (Buffer.compare(await store.bytes(left, range), await store.bytes(right, range)) !== 0) return false;
    }
    return true;
  }
  const rows = one.shape[0] ?? 1;
  const step = Math.max(1, Math.floor(PIECE_BYTES / (4 * Math.max(1, one.shape.slice(1).reduce((a, b) => a * b, 1)))));
  for (let start = 0; start < rows; start += step) {
    const range = { start, end: Math.min(rows, start + step) };
    const [ours, theirs] = [await store.values(left, range), await store.values(right, range)];
    if (ours.some((value, at) => value !== theirs[at])) return false;
  }
  return true;
}

/**
 * The configuration of a model whose head is its own although the configuration ties it: says so, where the family
 * reads nothing else from the key (T5 scales its logits by it; there the stored head alone says it, which transformers
 * 5 and moelab follow).
 */
export async function withoutTie(
  config: Record<string, unknown>,
  spec: ModelSpec,
  family: Family,
): Promise<Record<string, unknown>> {
  if (family.storesSpec || spec.head.tied || !(await specFromConfig(config, family)).head.tied) return config;
  const said = { ...config, tie_word_embeddings: false };
  const [read, before] = [await specFromConfig(said, family), await specFromConfig(config, family)];
  before.head.tied = false;
  return isDeepStrictEqual(read, before) ? said : config;
}
