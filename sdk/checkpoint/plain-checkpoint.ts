import { join } from "node:path";
import { MoeError } from "../errors.js";
import { ByteFile } from "./byte-file.js";
import { NameKinds } from "./name-kinds.js";
import { NameTable } from "./name-table.js";
import { type PlainEntry, PlainHeaders } from "./plain-header.js";
import { scanPlainIndex } from "./plain-index.js";
import { headerLength } from "./safetensors-header.js";
import { MAX_INDEX_BYTES } from "./safetensors-index.js";

/**
 * Sees each tensor of a checkpoint with the file and the header that it is in; the entry is the same object each time.
 */
export type SeeEntry = (entry: PlainEntry, header: PlainFile) => void;
export interface PlainFile {
  file: ByteFile;
  json: Buffer; /** position of the first byte after the header */
  dataStart: number;
}

/**
 * Walks the headers of a checkpoint as its writers write it, without keeping more of a tensor than a number that stands
 * for
 * its name. An index is checked too: each of its names is in the shard that it says, in no other, and said once; and
 * each
 * tensor of a shard is in it.
 *
 * @param folder with model.safetensors or its index
 * @param see called for each tensor; the files then stay open, in `files`
 * @returns undefined where a file is not as its writers write it, or is not there: `openTensors` reads it, or says what
 *   is wrong
 */
export async function scanPlainCheckpoint(
  folder: string,
  see?: SeeEntry,
): Promise<{ headers: PlainHeaders; files: ByteFile[] } | undefined> {
  const names = new NameKinds(), headers = new PlainHeaders(names);
  const opened = new Set<ByteFile>();
  const reading: (Promise<PlainFile | undefined> | undefined)[] = [];
  let whole = false;
  try {
    const scan = (header: PlainFile, visit: (key: number) => boolean) =>
      headers.scan(header.json, header.file.sizeBytes - header.dataStart, (entry) =>
        visit(entry.key) && (see?.(entry, header), true));
    const single = await readHeader(join(folder, "model.safetensors"), opened);
    if (single) {
      const seen = new NameTable();
      whole = scan(single, (key) => seen.add(key, 0));
    } else {
      const index = await readIndex(join(folder, "model.safetensors.index.json"));
      const expected = new NameTable();
      const shards = index && scanPlainIndex(index, names, (key, shard) => expected.add(key, shard));
      if (!shards) return undefined;
      // two headers are read while one is scanned
      const begin =
        (at: number) => (reading[at] ??= at < shards.length ? readHeader(join(folder, shards[at]), opened) : undefined);
      for (let at = 0; at < shards.length; at++) {
        begin(at + 1)?.catch(() => undefined);
        begin(at + 2)?.catch(() => undefined);
        const header = await begin(at);
        reading[at] = Promise.resolve(undefined);
        if (!header || !scan(header, (key) => expected.take(key, at))) return undefined;
        if (!see) await header.file.close();
      }
      whole = expected.left === 0;
    }
    return whole ? { headers, files: [...opened] } : undefined;
  } catch (error) {
    if (error instanceof MoeError) return undefined;
    throw error;
  } finally {
    if (!whole || !see) {
      await Promise.allSettled(reading);
      for (const file of opened) await file.close();
    }
  }
}

/** Undefined where there is no such file. */
export async function readHeader(path: string, opened: Set<ByteFile>): Promise<PlainFile | undefined> {
  const file = await openIfThere(path);
  if (!file) return undefined;
  opened.add(file);
  const dataStart = 8 + headerLength(await file.read(0, Math.min(8, file.sizeBytes)), file);
  const json = await file.read(8, dataStart);
  return { file, json: Buffer.from(json.buffer, json.byteOffset, json.length), dataStart };
}

/** Undefined where there is none, or one larger than any. */
export async function readIndex(path: string): Promise<Uint8Array | undefined> {
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
