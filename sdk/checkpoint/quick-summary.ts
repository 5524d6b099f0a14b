import { join } from "node:path";
import { MoeError } from "../errors.js";
import { ByteFile } from "./byte-file.js";
import { NameTable } from "./name-table.js";
import { scanPlainHeader, type PlainEntry } from "./plain-header.js";
import { scanPlainIndex } from "./plain-index.js";
import { headerLength } from "./safetensors-header.js";
import { MAX_INDEX_BYTES } from "./safetensors-index.js";
import { largestFirst, partOf, type TensorGroup } from "./tensor-summary.js";

/**
 * The groups of `tensorSummary`, from the headers as they pass by: nothing is kept of a tensor but 53 bits of its name.
 * An index is checked too: each of its names is in the shard that it says, in no other, and said once.
 *
 * @param folder with model.safetensors or its index
 * @returns undefined where a file is not as its writers write it, or is not there: `openTensors` reads it, or says what is wrong
 */
export async function quickSummary(folder: string): Promise<TensorGroup[] | undefined> {
  try {
    const single = await readHeader(join(folder, "model.safetensors"));
    const groups = new Groups();
    if (single) return scan(single, 0, new NameTable(0), groups) ? groups.list() : undefined;
    const index = await readIndex(join(folder, "model.safetensors.index.json"));
    if (!index) return undefined;
    const said = scanPlainIndex(index);
    if (!said) return undefined;
    const names = new NameTable(said.names.length);
    // two headers are read while one is scanned
    const reading = said.files.map(() => undefined as ReturnType<typeof readHeader> | undefined);
    const begin = (at: number) => (at < reading.length ? (reading[at] ??= readHeader(join(folder, said.files[at]))) : undefined);
    for (let at = 0; at < reading.length; at++) {
      begin(at + 1)?.catch(() => undefined);
      begin(at + 2)?.catch(() => undefined);
      const header = await begin(at);
      reading[at] = undefined;
      if (!header || !scan(header, at, names, groups)) return undefined;
    }
    return said.names.every((name, at) => names.take(name, said.shards[at])) ? groups.list() : undefined;
  } catch (error) {
    if (error instanceof MoeError) return undefined;
    throw error;
  }
}

interface Header { json: Uint8Array; dataBytes: number }

/** Undefined where there is no such file. */
async function readHeader(path: string): Promise<Header | undefined> {
  const file = await openIfThere(path);
  if (!file) return undefined;
  try {
    const length = headerLength(await file.read(0, Math.min(8, file.sizeBytes)), file);
    return { json: await file.read(8, 8 + length), dataBytes: file.sizeBytes - 8 - length };
  } finally {
    await file.close();
  }
}

async function readIndex(path: string): Promise<Uint8Array | undefined> {
  const file = await openIfThere(path);
  if (!file) return undefined;
  try {
    return file.sizeBytes > MAX_INDEX_BYTES ? undefined : await file.read(0, file.sizeBytes);
  } finally {
    await file.close();
  }
}

async function openIfThere(path: string): Promise<ByteFile | undefined> {
  return ByteFile.open(path).catch((error: unknown) => {
    if (error instanceof MoeError && error.code === "no-such-file") return undefined;
    throw error;
  });
}

/** Counts a header's tensors into the groups. False where it is not plain or a name comes twice. */
function scan({ json, dataBytes }: Header, shard: number, names: NameTable, groups: Groups): boolean {
  return scanPlainHeader(json, dataBytes, (entry) => {
    groups.add(entry, json);
    return names.add(entry.nameKey, shard);
  });
}

interface Group extends TensorGroup { shapeBytes: Uint8Array }

class Groups {
  private readonly byDtype = new Map<string, Map<number, Group>>();

  add({ partKey, dtype, nameStart, nameEnd, shapeStart, shapeEnd, elements, sizeBytes }: PlainEntry, json: Uint8Array): void {
    let byPart = this.byDtype.get(dtype);
    if (!byPart) this.byDtype.set(dtype, (byPart = new Map()));
    let group = byPart.get(partKey);
    if (!group) {
      const text = (start: number, end: number) => new TextDecoder().decode(json.subarray(start, end));
      const shape = text(shapeStart, shapeEnd).replaceAll(",", " x ") || "scalar";
      group = { part: partOf(text(nameStart, nameEnd)), dtype, tensors: 0, shape, elements: 0, sizeBytes: 0, shapeBytes: json.slice(shapeStart, shapeEnd) };
      byPart.set(partKey, group);
    } else if (group.shape !== "mixed" && !sameBytes(group.shapeBytes, json, shapeStart, shapeEnd)) group.shape = "mixed";
    group.tensors++;
    group.elements += elements;
    group.sizeBytes += sizeBytes;
  }

  list(): TensorGroup[] {
    const groups = [...this.byDtype.values()].flatMap((byPart) => [...byPart.values()]);
    return largestFirst(groups.map(({ shapeBytes: _, ...group }) => group));
  }
}

function sameBytes(bytes: Uint8Array, other: Uint8Array, start: number, end: number): boolean {
  if (bytes.length !== end - start) return false;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== other[start + i]) return false;
  return true;
}
