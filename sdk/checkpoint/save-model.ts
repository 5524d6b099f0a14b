import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { MoeError, suggest } from "../errors.js";
import { cannotWrite } from "../files/cannot-write.js";
import { requireRoom } from "../files/require-room.js";
import { expectedTensors } from "../model/expected-tensors.js";
import { shown } from "../shown.js";
import { dtypeSizeBytes } from "../tensor/formats/dtype-size.js";
import type { Dtype } from "../tensor/formats/dtype.js";
import { encode } from "../tensor/formats/index.js";
import { trimHeap } from "../tensor/index.js";
import { changesOf } from "./changed-layers.js";
import { copyCompanions, namesIn } from "./companion-files.js";
import { modelDtype, withDtype } from "./config-dtype.js";
import { configText } from "./config-text.js";
import { type DiskTensor, diskTensors, type Piece, piecesOf, size, storedDtype } from "./disk-tensors.js";
import { type Family, familyOf, specFromConfig } from "./family.js";
import { modelCard } from "./model-card.js";
import { explainer, staysFloat32 } from "./name-map.js";
import { packedConfig, type PackedDisk, packedPieces, packedTensors } from "./packed-tensors.js";
import { packerNamed, type SaveFormat } from "./packers/packers.js";
import { plainConfig } from "./plain-config.js";
import { notExportable, plainExperts, type SpecAndWeights } from "./plain-experts.js";
import { SaveJournal } from "./save-journal.js";
import type { TensorStore } from "./tensor-store.js";
import { withoutTie } from "./tied-weights.js";
import { ShardedWriter } from "./write-sharded.js";

/**
 * How changed experts are written:
 * - `moelab` (default): as they are, each stored once; config.json's `moelab` entry says how they hang together. moelab
 *   opens it
 * - `expanded`: one dense expert for every router output, so merged experts are written several times; anyone's code
 *   runs it
 * - `pruned`: experts that cannot be chosen are left out, with their router rows; anyone's code runs it
 */
export type SaveLayout = "moelab" | "expanded" | "pruned";
const DTYPES = ["F32", "F16", "BF16"];
const LAYOUTS: readonly SaveLayout[] = ["moelab", "expanded", "pruned"];

export interface SaveOptions {
  /** Hugging Face configuration that the spec came from */
  config: Record<string, unknown>;
  layout?: SaveLayout;
  /**
   * number format of the weights; default what each tensor is stored in, for quantised ones that of the configuration.
   * What the family keeps in float32 (a router's choice bias) stays so, unless it is stored in this format already
   */
  dtype?: Extract<Dtype, "F32" | "F16" | "BF16">;
  /**
   * for whom weights that a plan has packed are written (`SaveFormat`). Default `moelab` in that layout, unless `dtype`
   * says which floats to write; otherwise `plain`
   */
  format?: SaveFormat;
  /** a file of weights holds at most this, or one tensor that is larger; default 5 GB */
  maxShardBytes?: number;
  /** folder whose tokenizer and generation files are copied, and whose config.json tells 7.0 from 7 */
  filesFrom?: string;
  /** the checkpoint that the model came from: its names are used again, and what the model does not run is copied */
  original?: TensorStore;
  family?: Family;
  /** written to moelab.json and to the model card: where this model comes from, the plan that made it */
  provenance?: Record<string, unknown>;
  /** replace a folder that an earlier save wrote and that holds nothing else; default false */
  overwrite?: boolean;
  /** a save that is cut off later goes on from at most so many bytes before; default 256 MiB */
  noteBytes?: number;
  signal?: AbortSignal;
  onProgress?(doneBytes: number, totalBytes: number): void;
}

/** What was written. */
export interface Saved {
  folder: string;
  layout: SaveLayout;
  /** of all files */
  sizeBytes: number;
  files: { name: string; sizeBytes: number; sha256: string }[];
  /** bytes of weights in each layout that this model can be written in: what a choice costs */
  layouts: Partial<Record<SaveLayout, number>>;
  /** tensors of the original that are not in this one */
  leftOut: string[];
  /** of weights that an earlier save of the same had written before it was cut off */
  resumedBytes: number;
}
/** written last, when all others are there */
const OWN_FILES = ["moelab.json", "config.json"];

/**
 * Writes a folder in the family's own names: safetensors, tokenizer files, a model card, moelab.json with provenance
 * and a sha256 of every file, and config.json last. The folder appears when it is whole. A save that fails leaves
 * nothing. One that is stopped or killed leaves what it wrote under another name (`FOLDER.moelab-part`), which nothing
 * takes for a model; the same save (the same weights, plan and options) goes on from there. One process at a time saves
 * to a folder, and nothing is removed that no save wrote.
 *
 * @throws MoeError `folder-exists`, `not-ours` for what may not be replaced, `being-written`, `not-exportable` when the
 *   layout cannot say this model, `disk-full`, `cannot-write`, `aborted`
 */
export async function saveModel(folder: string, model: SpecAndWeights, options: SaveOptions): Promise<Saved> {
  const layout = options.layout ?? "moelab";
  if (!LAYOUTS.includes(layout))
    throw new MoeError("bad-layout",
      `save: the layout is ${shown(layout)}. ${suggest(typeof layout === "string" ? layout : "", LAYOUTS)}`);
  if (options.dtype !== undefined && !DTYPES.includes(options.dtype))
    throw new MoeError("bad-option", `save: dtype is ${shown(options.dtype)}; accepted are ${DTYPES.join(", ")}.`);
  if (existsSync(folder) && !options.overwrite) {
    throw new MoeError("folder-exists",
      `save: ${folder} is already there; accepted is a new folder. Give another, or say { overwrite: true }.`);
  }
  const { moelab: _, quantization_config: __, ...read } = options.config;
  const family = options.family ?? familyOf(read);
  const plain = await withoutTie(read, model.spec, family);
  const written = await inLayout(layout, model, plain, family);
  const format = options.format ?? (layout === "moelab" && !options.dtype ? "moelab" : "plain");
  const packer = packerNamed(format);
  const packed = format === "plain" ? [] : packedTensors(written.model.spec, written.model.weights, family, format);
  const before = withDtype(written.config, options.dtype);
  const tensors = tensorsOf(written.model, before, family, options, packed);
  const config = { ...before, ...packedConfig(before, format, packed, tensors) };
  const { copied, leftOut } = unrun(model, family, layout, options);
  const all = [...tensors, ...packed.flatMap((weight) => Object.values(weight.tensors)), ...copied];
  const layouts = { [layout]: bytesOf(all) } as Saved["layouts"];
  for (const other of LAYOUTS)
    layouts[other] ??= await inLayout(other, model, plain, family).then(
      (one) => bytesOf([...tensorsOf(one.model, config, family, options), ...copied]),
      () => undefined,
    );

  const pieces = [...piecesOf(tensors, written.model.weights),
    ...(packer ? packedPieces(packed, written.model.weights, packer) : []),
    ...copied.map((tensor) => verbatim(tensor, options.original!))];
  const key = createHash("sha256").update(
    JSON.stringify([await model.weights.fingerprint(), layout, config, options.maxShardBytes,
      all.map(({ name, dtype, shape }) => [name, dtype, shape])]),
  ).digest("hex");
  const journal = await SaveJournal.open(folder, { key, of: pieces.length, overwrite: options.overwrite });
  const { next: part, folder: waiting } = journal.work;
  try {
    const resumedBytes = pieces.slice(0, journal.pieces).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    await requireRoom(part, bytesOf(all) - resumedBytes, { verb: "save" });
    await writePieces(part, all, pieces, journal, options);
    if (options.filesFrom) await copyCompanions(options.filesFrom, part);
    await writeFile(join(part, "README.md"),
      modelCard({ name: basename(folder), before: options.config, after: written.model.spec, layout, layouts, leftOut,
        provenance: options.provenance ?? {} }));
    const text = configText(config,
      options.filesFrom && (await readFile(join(options.filesFrom, "config.json"), "utf8").catch(() => undefined)));
    const names = (await namesIn(part)).filter((name) => !OWN_FILES.includes(name));
    const files = await Promise.all(
      names.map(async (name) => ({ name, sizeBytes: (await stat(join(part, name))).size,
        sha256: await sha256(join(part, name)) })
      ),
    );
    files.push({ name: "config.json", sizeBytes: Buffer.byteLength(text),
      sha256: createHash("sha256").update(text).digest("hex") });
    files.sort((a, b) => (a.name < b.name ? -1 : 1));
    const hashes = Object.fromEntries(files.map(({ name, sha256: hash }) => [name, hash]));
    await writeFile(join(part, "moelab.json"),
      `${JSON.stringify({ ...options.provenance, layout, layouts, leftOut, files: hashes }, null, 2)}\n`);
    await writeFile(join(part, "config.json"), text);
    await journal.finish();
    return { folder, layout, sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0), files, layouts, leftOut,
      resumedBytes };
  } catch (error) {
    const stopped = error instanceof MoeError && error.code === "aborted";
    const kept = await journal.leave(stopped);
    if (stopped)
      throw new MoeError("aborted", "save: stopped at the caller's request; " + `${
        kept
          ? "what was written waits in " + waiting + ", and the same save goes on from there"
          : "nothing was left behind"
      }.`);
    throw cannotWrite("save", folder, error);
  }
}

/** Writes what is not there yet, and notes from time to time how far it is. */
async function writePieces(
  part: string,
  tensors: readonly DiskTensor[],
  pieces: readonly Piece[],
  journal: SaveJournal,
  { signal, onProgress, maxShardBytes, noteBytes = 256 * 2 ** 20 }: SaveOptions,
): Promise<void> {
  const totalBytes = pieces.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const begun = journal.pieces;
  const writer = new ShardedWriter(part, tensors, { maxShardBytes, resume: begun > 0 });
  let doneBytes = 0, notedBytes = 0;
  try {
    for (const [at, { name, at: offset, sizeBytes, bytes }] of pieces.entries()) {
      if (at < begun) {
        await writer.skip(name, offset, sizeBytes);
        notedBytes = doneBytes += sizeBytes;
        continue;
      }
      if (signal?.aborted) throw new MoeError("aborted", "save: stopped at the caller's request.");
      await writer.write({ name, bytes: await bytes(), at: offset });
      doneBytes += sizeBytes;
      if (doneBytes - notedBytes >= noteBytes || at === pieces.length - 1) {
        await writer.sync();
        await journal.reached(at + 1);
        trimHeap();
        notedBytes = doneBytes;
      }
      onProgress?.(doneBytes, totalBytes);
    }
    await writer.finish();
  } catch (error) {
    await writer.leave();
    throw error;
  }
}

async function inLayout(layout: SaveLayout, model: SpecAndWeights, config: Record<string, unknown>, family: Family) {
  if (family.storesSpec && layout !== "moelab")
    throw notExportable("a model that was made from a ModelSpec has no Hugging Face configuration",
      "Save with { layout: \"moelab\" }");
  if (family.storesSpec) return { model, config: { ...config, moelab: { version: 2, spec: model.spec } } };
  if (layout === "moelab") {
    const changes = changesOf(model.spec, await specFromConfig(config, family));
    return { model, config: { ...config, ...(changes ? { moelab: changes } : {}) } };
  }
  const plain = plainExperts(model, layout === "expanded" ? "copy" : "refuse");
  return { model: plain, config: await plainConfig(config, plain.spec, family) };
}

function tensorsOf(
  { spec, weights }: SpecAndWeights,
  config: Record<string, unknown>,
  family: Family,
  { dtype, original }: SaveOptions,
  packed: readonly PackedDisk[] = [],
): DiskTensor[] {
  const expected = new Set(expectedTensors(spec).map(({ name }) => name));
  const unknown = [...weights.names()].filter((name) => !expected.has(name));
  if (unknown.length)
    throw new MoeError("unknown-tensors",
      "save: the model holds "
        + `${unknown.slice(0, 5).join(", ")}${unknown.length > 5 ? ` and ${unknown.length - 5} more` : ""}, `
        + `which its architecture does not name; accepted are the ${expected.size} tensors of the `
        + "architecture. Save with the spec that belongs to the weights.");
  const whole = new Set(expectedTensors(spec).filter(({ index }) => index).map(({ name }) => name));
  return diskTensors(spec, family, (name) => {
    if (whole.has(name)) return "I32";
    const own = storedDtype(weights.info(name), modelDtype(config));
    return dtype && own !== dtype && staysFloat32(name, family, dtype) ? "F32" : dtype ?? own;
  }, original, new Set(packed.map(({ canonical }) => canonical)));
}

/**
 * Tensors that the model does not run are copied as they are, but for layers after the last when the number of experts
 * has changed.
 */
function unrun(
  { spec }: SpecAndWeights,
  family: Family,
  layout: SaveLayout,
  { original }: SaveOptions,
): { copied: DiskTensor[]; leftOut: string[] } {
  const explain = explainer(spec, family);
  const copied: DiskTensor[] = [], leftOut: string[] = [];
  for (const name of original?.names() ?? []) {
    const kind = explain(name);
    if (kind === undefined || kind === "copy") continue;
    const { dtype, shape, format } = original!.info(name);
    if (kind === "beyond" && layout === "pruned") leftOut.push(name);
    else copied.push({ name, dtype: dtypeSizeBytes[dtype] && !format ? dtype : "BF16", shape, parts: [] });
  }
  return { copied, leftOut };
}

function verbatim({ name, dtype, shape }: DiskTensor, original: TensorStore): Piece {
  return {
    name,
    at: 0,
    sizeBytes: size(shape) * dtypeSizeBytes[dtype]!,
    bytes:
      async () => (original.info(name).dtype === dtype
        ? original.bytes(name)
        : encode(await original.values(name), dtype)),
  };
}

function bytesOf(tensors: readonly DiskTensor[]): number {
  return tensors.reduce((sum, { dtype, shape }) => sum + size(shape) * dtypeSizeBytes[dtype]!, 0);
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
