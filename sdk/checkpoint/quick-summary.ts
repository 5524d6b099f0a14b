import { join } from "node:path";
import { MoeError } from "../errors.js";
import { ByteFile } from "./byte-file.js";
import { NameKinds } from "./name-kinds.js";
import { NameTable } from "./name-table.js";
import { PlainHeaders } from "./plain-header.js";
import { scanPlainIndex } from "./plain-index.js";
import { headerLength } from "./safetensors-header.js";
import { MAX_INDEX_BYTES } from "./safetensors-index.js";
import { largestFirst, type TensorGroup } from "./tensor-summary.js";

/** what a name in an index takes with its file, about; the table of names grows where they are shorter */
const INDEX_ENTRY_BYTES = 90;

/**
 * The groups of `tensorSummary`, from the headers as they pass by: nothing is kept of a tensor but a number that stands for
 * its name. An index is checked too: each of its names is in the shard that it says, in no other, and said once.
 *
 * @param folder with model.safetensors or its index
 * @returns undefined where a file is not as its writers write it, or is not there: `openTensors` reads it, or says what is wrong
 */
export async function quickSummary(folder: string): Promise<TensorGroup[] | undefined> {
  try {
    const names = new NameKinds(), headers = new PlainHeaders(names);
    const single = await readHeader(join(folder, "model.safetensors"));
    if (single) {
      const seen = new NameTable(0);
      return headers.scan(single.json, single.dataBytes, (key) => seen.add(key, 0)) ? largestFirst(headers.groups()) : undefined;
    }
    const index = await readIndex(join(folder, "model.safetensors.index.json"));
    if (!index) return undefined;
    const expected = new NameTable(index.length / INDEX_ENTRY_BYTES);
    const files = scanPlainIndex(index, names, (key, file) => expected.add(key, file));
    if (!files) return undefined;
    // two headers are read while one is scanned
    const reading = files.map(() => undefined as ReturnType<typeof readHeader> | undefined);
    const begin = (at: number) => (at < reading.length ? (reading[at] ??= readHeader(join(folder, files[at]))) : undefined);
    for (let at = 0; at < reading.length; at++) {
      begin(at + 1)?.catch(() => undefined);
      begin(at + 2)?.catch(() => undefined);
      const header = await begin(at);
      reading[at] = undefined;
      if (!header || !headers.scan(header.json, header.dataBytes, (key) => expected.take(key, at))) return undefined;
    }
    return expected.left === 0 ? largestFirst(headers.groups()) : undefined;
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
