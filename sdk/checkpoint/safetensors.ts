import { closest } from "fastest-levenshtein";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { MoeError } from "../errors.js";
import type { TensorInfo } from "../model/weight-source.js";
import { decode } from "../tensor/formats/index.js";
import { ByteFile } from "./byte-file.js";
import { scanPlainCheckpoint } from "./plain-checkpoint.js";
import { type HeaderEntry, headerLength, parseHeader, type SafetensorsHeader } from "./safetensors-header.js";
import { openIndex } from "./safetensors-index.js";
import type { Range, TensorStore } from "./tensor-store.js";
import { OTHER_FILES, whatIsThere } from "./what-is-there.js";

export type { Range, TensorStore };

/**
 * Opens a checkpoint and reads its headers; no weight is read.
 *
 * @param path a .safetensors or .gguf file, a folder with model.safetensors, or one with model.safetensors.index.json
 *   (sharded);
 *   if a folder has both, the single file is read, as transformers does
 * @param options.carefully false: headers that are as their writers write them are read at a glance, the others with
 *   care; true: all with care
 * @throws FormatError `safetensors`, `safetensors-index` with the file and the fault; MoeError `no-checkpoint`
 * @example
 * const store = await openTensors("OLMoE-1B-7B-0924");
 * const gate = await store.values("model.layers.0.mlp.gate.weight");  // Float32Array, [64, 2048]
 */
export async function openTensors(path: string, { carefully = false } = {}): Promise<TensorStore> {
  if (path.endsWith(".gguf")) return (await import("./gguf/open-gguf.js")).openGguf(path);
  const store = new SafetensorsStore();
  try {
    const kind = (await stat(path).catch(() => undefined))?.isDirectory() ? "folder" : "file";
    if (kind === "file" && !OTHER_FILES.test(path)) await store.add(path);
    else if (kind === "folder" && !carefully && (await store.addPlain(path))) return store;
    else if (await exists(join(path, "model.safetensors"))) await store.add(join(path, "model.safetensors"));
    else if (await exists(join(path, "model.safetensors.index.json")))
      await store.addSharded(path, "model.safetensors.index.json");
    else throw new MoeError("no-checkpoint",
        `load: ${path} has no weights; accepted is a folder with model.safetensors or `
          + `model.safetensors.index.json. ${whatIsThere(path)}`);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

type Stored = HeaderEntry<ByteFile>;

class SafetensorsStore implements TensorStore {
  readonly metadata: Record<string, string> = {};
  readonly readBytes = new Map<string, number>();
  private readonly entries = new Map<string, Stored>();
  /** all stay open: published checkpoints have some hundred shards, processes may open a thousand files and more */
  private readonly files: ByteFile[] = [];

  /** @returns false for a checkpoint that is not as its writers write it: it is to be read with care */
  async addPlain(folder: string): Promise<boolean> {
    const scanned = await scanPlainCheckpoint(folder,
      ({ nameStart, nameEnd, dtype, lengths, sizeBytes, start }, { file, json, dataStart }) => {
        const name = json.toString("latin1", nameStart, nameEnd);
        this.entries.set(name, { name, dtype, shape: lengths as number[], sizeBytes, file, start: dataStart + start });
      });
    if (!scanned) {
      this.entries.clear();
      return false;
    }
    this.files.push(...scanned.files);
    Object.assign(this.metadata, scanned.headers.metadata);
    return true;
  }

  async add(path: string): Promise<void> {
    for (const entry of await this.read(path)) this.entries.set(entry.name, entry);
  }

  /** The index decides which shard a tensor comes from; each of its names must be in the header of its shard. */
  async addSharded(folder: string, indexName: string): Promise<void> {
    const shards = new Map<string, Map<string, Stored>>();
    const { tensors, refuse } = await openIndex(join(folder, indexName));
    for (const [name, shard] of tensors) {
      const entries = shards.get(shard) ?? byName(await this.read(join(folder, shard)));
      shards.set(shard, entries);
      const entry = entries.get(name);
      if (!entry) throw refuse(`tensor ${JSON.stringify(name)} is not in ${shard}`, "names that their shard has");
      if (this.entries.has(name)) throw refuse(`tensor ${JSON.stringify(name)} occurs twice`, "each name once");
      this.entries.set(entry.name, entry); // the header's own string, so that no second copy of the name stays
    }
    // loaders read whole shards, so a tensor that the index forgot belongs to the checkpoint too
    for (const shard of shards.values())
      for (const entry of shard.values()) if (!this.entries.has(entry.name)) this.entries.set(entry.name, entry);
  }

  private async read(path: string): Promise<Stored[]> {
    const file = await ByteFile.open(path);
    this.files.push(file);
    const { entries, metadata } = await readHeader(file);
    Object.assign(this.metadata, metadata);
    return entries;
  }

  names(): Iterable<string> {
    return this.entries.keys();
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  own(name: string): string {
    return this.entry(name).name;
  }

  info(name: string): TensorInfo {
    const { dtype, shape, sizeBytes } = this.entry(name);
    return { dtype, shape: [...shape], sizeBytes };
  }

  bytes(name: string, range?: Range, into?: Uint8Array): Promise<Uint8Array> {
    const { file, start, sizeBytes } = this.entry(name);
    const { start: from, end } = checkRange(name, "bytes", range, sizeBytes);
    this.readBytes.set(name, (this.readBytes.get(name) ?? 0) + end - from);
    return file.read(start + from, start + end, into);
  }

  async values(name: string, rows?: Range): Promise<Float32Array> {
    const { dtype, shape, sizeBytes } = this.entry(name);
    if (!rows) return decode(await this.bytes(name), dtype);
    const count = shape[0] ?? 0;
    const { start, end } = checkRange(name, "rows", rows, count);
    const rowBytes = count === 0 ? 0 : sizeBytes / count;
    return decode(await this.bytes(name, { start: start * rowBytes, end: end * rowBytes }), dtype);
  }

  async close(): Promise<void> {
    await Promise.all(this.files.map((file) => file.close()));
  }

  private entry(name: string): Stored {
    const entry = this.entries.get(name);
    if (entry) return entry;
    const nearest = closest(name, [...this.entries.keys()]);
    throw new MoeError("unknown-tensor",
      `read: tensor "${name}" is not in the checkpoint; accepted are its ${this.entries.size} names, the `
        + `nearest is "${nearest}". Correct the name.`);
  }
}

function byName(entries: Stored[]): Map<string, Stored> {
  const map = new Map<string, Stored>();
  for (const entry of entries) map.set(entry.name, entry);
  return map;
}

async function readHeader(file: ByteFile): Promise<SafetensorsHeader<ByteFile>> {
  const prefix = await file.read(0, Math.min(8, file.sizeBytes));
  const length = headerLength(prefix, file);
  return parseHeader(await file.read(8, 8 + length), file);
}

function checkRange(name: string, unit: string, range: Range | undefined, limit: number): Range {
  const { start, end } = range ?? { start: 0, end: limit };
  if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= limit)) {
    throw new MoeError("range",
      `read: ${unit} ${start} to ${end} of tensor "${name}"; accepted is 0 <= start <= end <= ${limit}. `
        + "Correct the range.");
  }
  return { start, end };
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false);
}
