import { listFiles, modelInfo } from "@huggingface/hub";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { FormatError, MoeError } from "../../errors.js";
import { requireRoom } from "../../files/require-room.js";
import { parseJson } from "../../parse-json.js";
import { chunksOf, downloadBlob } from "./download-blob.js";
import type { HubEnvironment } from "./hub-environment.js";
import { type HubConnection, hubFetch } from "./hub-fetch.js";
import { isCommit, isComplete, ModelCache, shardsOf } from "./model-cache.js";
import type { ModelId } from "./model-id.js";

export interface DownloadOptions extends Pick<HubConnection, "signal" | "attempts" | "retryDelayMs"> {
  /** bytes that are there and bytes of all files that are needed */
  onProgress?(done: number, total: number): void;
}

/**
 * Files at a time, as Python's tools do with half their workers; the hub limits one connection more than all together.
 */
const PARALLEL = 4;
/** Configuration, tokenizer, templates, licence and card: all but weights, in the model's own folder. */
const SMALL_FILES = /^([^/]+\.(json|txt|model|jinja|md)|additional_chat_templates\/[^/]+\.jinja|LICENSE)$/;

interface HubFile {
  path: string;
  sizeBytes: number;
  hash: string; /** the hub keeps it in Xet's chunks and tells no hash of the whole */
  chunksAlone: boolean;
}

/**
 * Brings a model into the cache over plain HTTP, which the hub keeps for Xet's files too (they have a sha256 as all
 * large files have, and downloads can be continued): its configuration, its tokenizer and its safetensors weights, no
 * other form of them.
 * If the hub does not answer or refuses, a complete model that is cached is taken.
 *
 * @returns the folder of the snapshot
 */
export async function downloadModel(
  id: ModelId,
  environment: HubEnvironment,
  options: DownloadOptions = {},
): Promise<string> {
  const cache = new ModelCache(environment.cache, id);
  const cached = await cachedModel(cache, id);
  if (environment.offline) {
    if (cached) return cached;
    throw new MoeError("offline",
      `load: ${id.name} at ${id.revision} is not complete in ${environment.cache} and HF_HUB_OFFLINE is `
        + "set; accepted is a cached model. Unset it once to fetch the model.");
  }
  const connection = { ...options, endpoint: environment.endpoint, token: environment.token };
  let listed: { commit: string; files: Map<string, HubFile> };
  try {
    listed = await orStop(list(id, connection), options.signal);
  } catch (error) {
    if (!cached || options.signal?.aborted || error instanceof FormatError) throw error;
    return cached;
  }
  const { commit, files } = listed;
  const have = new Map<string, number>();
  let total = 0;
  const fetch = (wanted: HubFile[]) =>
    fetchFiles(wanted, { id, commit, cache, connection }, (path, bytes) => {
      have.set(path, bytes);
      options.onProgress?.([...have.values()].reduce((sum, each) => sum + each, 0), total);
    });

  const small = [...files.values()].filter(({ path }) => SMALL_FILES.test(path));
  total = sum(small) + (files.get("model.safetensors")?.sizeBytes ?? 0);
  await fetch(small);
  const shards = files.has("model.safetensors") ? ["model.safetensors"] : await shardsOf(cache.snapshot(commit));
  const absent = [...shards, "config.json"].find((path) => !files.has(path));
  if (shards.length === 0 || absent !== undefined) {
    throw new MoeError("no-checkpoint",
      `load: ${id.name} at ${commit} lacks ${absent ?? "safetensors weights"}; accepted is a model in `
        + "safetensors. Look for a conversion, or convert it with transformers.");
  }
  const weights = shards.map((path) => files.get(path)!);
  total = sum(small) + sum(weights);
  await fetch(weights);
  await cache.setRef(id.revision, commit);
  return cache.snapshot(commit);
}

async function cachedModel(cache: ModelCache, { revision }: ModelId): Promise<string | undefined> {
  const commit = await cache.commitOf(revision);
  if (commit === undefined || !(await isComplete(cache.snapshot(commit)))) return undefined;
  return cache.snapshot(commit);
}

/** Asks the hub which commit a revision is, and for the files of that commit. */
async function list(
  { name, revision }: ModelId,
  connection: HubConnection,
): Promise<{ commit: string; files: Map<string, HubFile> }> {
  const refuse = (seen: string, accepted: string, cause?: unknown) =>
    new FormatError("hub-answer",
      `load: the hub's list of ${name} has ${seen}; accepted is ${accepted}. Check HF_ENDPOINT.`, { cause });
  const hub = { hubUrl: connection.endpoint, fetch: boundedAnswers(connection, refuse) };
  // its client takes any answer for one of the right shape
  const asked = async <T>(answer: Promise<T>) =>
    answer.catch((cause: unknown) => {
      if (cause instanceof SyntaxError || cause instanceof TypeError)
        throw refuse(`an answer of another form (${cause.message})`, "what the hub's API says", cause);
      throw cause;
    });
  const commit = isCommit(revision)
    ? revision
    : (await asked(modelInfo({ ...hub, name, revision, additionalFields: ["sha"] }))).sha;
  if (typeof commit !== "string" || !isCommit(commit)) throw refuse("no commit", "40 hexadecimal digits");
  const files = new Map<string, HubFile>();
  const entries = listFiles({ ...hub, repo: name, revision: commit, recursive: true });
  for (let next = await asked(entries.next()); !next.done; next = await asked(entries.next())) {
    const entry: unknown = next.value;
    if (typeof entry !== "object" || entry === null) throw refuse("an entry that is no object", "files and folders");
    const { type, path, size, oid, lfs, xetHash } = next.value;
    if (type !== "file") continue;
    // a training log may be named by the time of day; nothing that a model needs is
    if (typeof path === "string" && path.includes(":")) continue;
    // path and hash become file names here
    if (typeof path !== "string" || !/^[^\\\0:]+$/.test(path)
      || path.split("/").some((part) => ["", ".", ".."].includes(part)))
      throw refuse(`a file named ${JSON.stringify(path) ?? "nothing"}`, "names inside the model");
    const hash = lfs?.oid ?? oid;
    if (typeof hash !== "string" || !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash))
      throw refuse(`no hash of ${path}`, "40 or 64 hexadecimal digits");
    const sizeBytes = lfs?.size ?? size;
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw refuse(`no size of ${path}`, "a number of bytes");
    files.set(path, { path, hash, sizeBytes, chunksAlone: xetHash !== undefined && lfs === undefined });
  }
  return { commit, files };
}

/** The hub's own pages have a thousand entries of some 200 bytes, and a model some tens of files. */
const MAX_LIST_BYTES = 32 << 20;
const MAX_LIST_REQUESTS = 200;

/** As `hubFetch`, for answers that are JSON: all together they end, and no page is asked for twice. */
function boundedAnswers(
  connection: HubConnection,
  refuse: (seen: string, accepted: string) => FormatError,
): typeof fetch {
  const get = hubFetch(connection), asked = new Set<string>();
  let left = MAX_LIST_BYTES;
  return async (input, init) => {
    const url = String(input);
    if (asked.has(url)) throw refuse("a page that leads back to itself", "each page once");
    if (asked.add(url).size > MAX_LIST_REQUESTS)
      throw refuse(`more than ${MAX_LIST_REQUESTS} pages`, "the list of one model");
    const response = await get(url, init);
    const parts: Uint8Array[] = [];
    try {
      for await (const part of chunksOf(response, connection.signal)) {
        if ((left -= part.length) < 0) throw refuse(`more than ${MAX_LIST_BYTES} bytes`, "the list of one model");
        parts.push(part);
      }
    } catch (cause) {
      connection.signal?.throwIfAborted();
      if (cause instanceof MoeError) throw cause;
      throw new MoeError("connection-lost",
        `load: the hub's list of a model stopped half-way (${(cause as Error).message}); accepted is a connection that `
          + "goes on. Load it again.", { cause });
    }
    const text = Buffer.concat(parts).toString("utf8");
    parseJson(text); // refuses what nests deeper than the stack
    return new Response(text, { status: response.status, headers: response.headers });
  };
}

/** The promise, or the signal's reason: the fetch of Node 20 may leave a body that it aborts waiting for ever. */
async function orStop<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return promise;
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
  });
  signal.addEventListener("abort", stop);
  return Promise.race([promise, stopped]).finally(() => signal.removeEventListener("abort", stop));
}

interface Place {
  id: ModelId;
  commit: string;
  cache: ModelCache;
  connection: HubConnection;
}

async function fetchFiles(
  wanted: HubFile[],
  { id, commit, cache, connection }: Place,
  onBytes: (path: string, bytes: number) => void,
): Promise<void> {
  const chunked = wanted.find(({ chunksAlone }) => chunksAlone);
  if (chunked)
    throw new MoeError("xet-only",
      `load: ${chunked.path} of ${id.name} is stored in Xet's chunks and the hub tells no sha256 of it; `
        + "accepted are files whose hash can be checked, as of all that the hub also gives over plain HTTP. "
        + `Fetch it with Python's \`hf download ${id.name}\`: the cache is shared.`);
  const missing: HubFile[] = [];
  for (const file of wanted) {
    // what a link points to may have been cut short: then it is fetched again
    if ((await sizeOf(join(cache.snapshot(commit), file.path))) === file.sizeBytes) onBytes(file.path, file.sizeBytes);
    else missing.push(file);
  }
  if (missing.length === 0) return;
  await checkRoom(cache, missing);
  // the first failure stops the other workers
  const stop = new AbortController();
  const { signal } = stop;
  const forward = () => stop.abort(connection.signal!.reason);
  connection.signal?.addEventListener("abort", forward);
  const worker = async () => {
    for (let file = missing.shift(); file; file = missing.shift()) {
      const { path, hash, sizeBytes } = file;
      const url = `${connection.endpoint}/${id.name}/resolve/${commit}/${
        path.split("/").map(encodeURIComponent).join("/")
      }`;
      if ((await sizeOf(cache.blob(hash))) === sizeBytes) onBytes(path, sizeBytes);
      else await downloadBlob({ ...file, url }, cache.blob(hash), { ...connection, signal }, (bytes) =>
          onBytes(path, bytes));
      await cache.link(commit, path, hash);
    }
  };
  const workers = Array.from({ length: PARALLEL }, () =>
    worker().catch((error: unknown) => {
      stop.abort();
      throw error;
    }));
  const failed = (await Promise.allSettled(workers)).filter((outcome) => outcome.status === "rejected");
  connection.signal?.removeEventListener("abort", forward);
  connection.signal?.throwIfAborted();
  // those that were stopped have an AbortError; the reason is the other
  if (failed.length > 0) throw (failed.find(({ reason }) => reason instanceof MoeError) ?? failed[0]).reason;
}

/** Says so before an hour of download, not after. */
async function checkRoom(cache: ModelCache, missing: HubFile[]): Promise<void> {
  const folder = join(cache.blob("x"), "..");
  let needBytes = 0;
  for (const { hash, sizeBytes } of missing) {
    const have = (await sizeOf(cache.blob(hash))) ?? (await sizeOf(`${cache.blob(hash)}.incomplete`)) ?? 0;
    needBytes += Math.max(0, sizeBytes - have);
  }
  await requireRoom(folder, needBytes, { verb: "load", otherwise: "set HF_HOME to another disk" });
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then((found) => found.size, () => undefined);
}

function sum(files: HubFile[]): number {
  return files.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
}
