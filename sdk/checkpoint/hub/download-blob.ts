import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MoeError } from "../../errors.js";
import { type HubConnection, hubFetch } from "./hub-fetch.js";

export interface BlobSource {
  url: string;
  /** named in errors */
  path: string;
  sizeBytes: number;
  /** sha256 of the content (64 digits), or git's sha1 of it as a blob (40) */
  hash: string;
}

/**
 * Downloads a file to `blob`. What an earlier try left in `blob`.incomplete is continued, a dropped connection too;
 * the file gets its name when its size and hash are right.
 * Two processes may do this at once: each writes the same bytes to the same places.
 *
 * @param onBytes hears how many bytes of this file are there
 * @throws MoeError `wrong-size`, `wrong-hash`, `disk-full`, `connection-lost` and those of `hubFetch`
 */
export async function downloadBlob(
  source: BlobSource,
  blob: string,
  connection: HubConnection,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const incomplete = `${blob}.incomplete`;
  await mkdir(dirname(blob), { recursive: true });
  const file = await open(incomplete, "r+").catch(() => open(incomplete, "w+"));
  try {
    await fill(file, source, connection, onBytes);
    await file.sync();
  } catch (error) {
    // these bytes are wrong; the next try must not continue them
    if ((error as MoeError).code === "wrong-size") await rm(incomplete, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  const seen = await hashOf(incomplete, source);
  if (seen !== source.hash) {
    await rm(incomplete, { force: true });
    throw new MoeError("wrong-hash",
      `load: ${source.path} arrived with hash ${seen}; accepted is ${source.hash}. Load it again.`);
  }
  await rename(incomplete, blob).catch(async (error: NodeJS.ErrnoException) => {
    const finished = error.code === "ENOENT" && (await stat(blob).catch(() => undefined))?.size === source.sizeBytes;
    if (!finished) throw error; // else another process was first
  });
}

async function fill(
  file: FileHandle,
  source: BlobSource,
  connection: HubConnection,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const { sizeBytes, path } = source;
  const { signal, attempts = 5, retryDelayMs = 1000 } = connection;
  let have = (await file.stat()).size;
  if (have > sizeBytes) {
    await file.truncate(0);
    have = 0;
  }
  for (let fruitless = 0; have < sizeBytes;) {
    onBytes(have);
    const before = have;
    const response = await request(source, have, connection);
    // a server may answer with the whole file
    if (response.status !== 206) have = 0;
    checkSize(response, source, have);
    try {
      for await (const chunk of chunksOf(response, signal)) {
        if (have + chunk.length > sizeBytes) throw wrongSize(source, `more than ${sizeBytes}`);
        await write(file, chunk, have, path);
        have += chunk.length;
        onBytes(have);
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof MoeError) throw error;
      // else the connection was dropped: what came is kept
    }
    signal?.throwIfAborted();
    if (have === sizeBytes) break;
    fruitless = have > before ? 0 : fruitless + 1;
    if (fruitless >= attempts) {
      throw new MoeError("connection-lost",
        `load: ${path} stopped ${fruitless} times at byte ${have} of ${sizeBytes}; accepted is a connection `
          + "that goes on. Load it again: it continues there.");
    }
    await sleep(retryDelayMs * 2 ** fruitless, undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
  await file.truncate(sizeBytes);
  onBytes(sizeBytes);
}

/** Ends when the signal says so: the fetch of Node 20 may leave a body that it aborts waiting for ever. */
export async function* chunksOf(response: Response, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = response.body!.getReader();
  const stop = () => void reader.cancel().catch(() => undefined);
  signal?.addEventListener("abort", stop);
  try {
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) yield value!;
  } finally {
    signal?.removeEventListener("abort", stop);
    stop();
  }
}

function request({ url }: BlobSource, have: number, connection: HubConnection): Promise<Response> {
  // compressed bytes could neither be counted nor continued
  const headers = { "Accept-Encoding": "identity", ...(have > 0 && { Range: `bytes=${have}-` }) };
  return hubFetch(connection)(url, { headers });
}

function checkSize(response: Response, source: BlobSource, have: number): void {
  if (response.status === 206) {
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "") ?? [];
    if (Number(start) !== have || Number(total) !== source.sizeBytes) {
      void response.body?.cancel();
      throw wrongSize(source, `the part ${response.headers.get("Content-Range")} for one from ${have} on`);
    }
  } else {
    const length = response.headers.get("Content-Length");
    if (length !== null && response.headers.get("Content-Encoding") === null && Number(length) !== source.sizeBytes) {
      void response.body?.cancel();
      throw wrongSize(source, length);
    }
  }
}

function wrongSize({ path, sizeBytes }: BlobSource, seen: string): MoeError {
  return new MoeError("wrong-size",
    `load: the hub sends ${path} with ${seen} bytes; accepted is ${sizeBytes}, as it lists. Load it again.`);
}

async function write(file: FileHandle, chunk: Uint8Array, position: number, path: string): Promise<void> {
  try {
    for (let done = 0; done < chunk.length;) {
      done += (await file.write(chunk, done, chunk.length - done, position + done)).bytesWritten;
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOSPC")
      throw new MoeError("disk",
        `load: ${path} can not be written (${(cause as NodeJS.ErrnoException).code}); accepted is a cache `
          + "that can be written. Set HF_HOME to another folder.", { cause });
    throw new MoeError("disk-full",
      `load: the disk is full at byte ${position} of ${path}; accepted is room for the whole model. Free `
        + "some space, or set HF_HOME to another disk, and load it again: it continues there.", { cause });
  }
}

async function hashOf(file: string, { hash, sizeBytes }: BlobSource): Promise<string> {
  const digest = createHash(hash.length === 64 ? "sha256" : "sha1");
  if (hash.length === 40) digest.update(`blob ${sizeBytes}\0`);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) digest.update(chunk as Uint8Array);
  return digest.digest("hex");
}
