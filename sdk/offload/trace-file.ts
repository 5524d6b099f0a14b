import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { open, rm, stat, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { FormatError, MoeError } from "../errors.js";
import { cannotWrite } from "../files/cannot-write.js";
import { writeWhole } from "../files/write-whole.js";
import { readText } from "../read-text.js";
import { NO_EXPERT, type RoutingTrace, type TraceStep } from "./trace.js";

const ACCEPTED = "a routing trace: NAME.trace.json with NAME.trace.bin beside it";
const MAX_HEADER_BYTES = 256 << 20, MAX_BYTES = 2 ** 31 - 1, MAX_STEPS = 5_000_000;

const ARRAYS = {
  ids: { type: Uint16Array, shape: ["layers", "tokens", "topK"] },
  weights: { type: Float32Array, shape: ["layers", "tokens", "topK"] },
  logits: { type: Float32Array, shape: ["layers", "tokens", "experts"] },
  gateInput: { type: Float32Array, shape: ["layers", "tokens", "dModel"] },
  tokenIds: { type: Uint16Array, shape: ["tokens"] },
  nextLookahead: { type: Uint16Array, shape: ["layers", 3, "tokens", "topK"] },
} as const;
type Field = keyof typeof ARRAYS;
const FIELDS = Object.keys(ARRAYS) as Field[];

/**
 * Reads a routing trace: a header in JSON and little-endian arrays beside it. Sizes, places and experts are checked.
 *
 * @param path of NAME.trace.json
 * @throws MoeError `no-trace`; FormatError `bad-trace`
 */
export async function loadTrace(path: string): Promise<RoutingTrace> {
  const refuse = (seen: string, todo = "Record or convert it again.") =>
    new FormatError("bad-trace", `trace: ${seen}, in ${path}; accepted is ${ACCEPTED}. ${todo}`);
  const text = await readText(path, { verb: "trace", accepted: ACCEPTED, maxBytes: MAX_HEADER_BYTES,
    code: "bad-trace" });
  if (text === undefined) throw new MoeError("no-trace", `trace: ${path} is not there; accepted is ${ACCEPTED}.`);
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(text) as Record<string, unknown>;
    if (typeof header !== "object" || header === null || Array.isArray(header)) throw new Error();
  } catch {
    throw refuse("the header is not a JSON object");
  }
  if (header.version !== 1) throw refuse(`version is ${shown(header.version)}, not 1`, "A later moelab may read it.");
  const whole = (key: string, of: Record<string, unknown>, least: number, most: number): number => {
    const value = of[key];
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    throw refuse(`${key} is ${shown(value)}, not a whole number from ${least} to ${most}`);
  };
  const layers = whole("layers", header, 1, 10_000), experts = whole("experts", header, 1, NO_EXPERT);
  const topK = whole("topK", header, 1, experts), dModel = whole("dModel", header, 0, 1 << 20);
  const fields = header.fields as Field[];
  if (!Array.isArray(fields) || !fields.includes("ids") || !fields.every((field) => FIELDS.includes(field)))
    throw refuse(`fields are ${shown(fields)}, not some of ${FIELDS.join(", ")} with ids`);
  const { expertBytes = {}, steps } = header as { expertBytes?: Record<string, number>; steps?: unknown };
  if (typeof expertBytes !== "object" || expertBytes === null
    || !Object.values(expertBytes).every((bytes) => Number.isSafeInteger(bytes) && bytes > 0))
    throw refuse(`expertBytes are ${shown(expertBytes)}, not bytes by precision`);
  if (!Array.isArray(steps) || steps.length > MAX_STEPS) throw refuse(`steps is no list of at most ${MAX_STEPS}`);
  const binary = path.replace(/\.json$/, ".bin");
  const bytes = await readBinary(binary, refuse);
  const read = (field: Field, tokens: number, at: unknown, step: number) => {
    const { type, shape } = ARRAYS[field], sizes: Record<string, number> = { layers, experts, topK, dModel, tokens };
    const length = shape.reduce<number>((product, n) => product * (typeof n === "number" ? n : sizes[n]), 1);
    const size = length * type.BYTES_PER_ELEMENT;
    if (!Number.isSafeInteger(at) || (at as number) < 0 || (at as number) + size > bytes.length)
      throw refuse(
        `${field} of step ${step} lies at ${shown(at)} and takes ${size} bytes, ${
          basename(binary)
        } has ${bytes.length}`,
      );
    const copy = bytes.slice(at as number, (at as number) + size);
    return new type(copy.buffer, copy.byteOffset, length);
  };
  const hash = createHash("sha256");
  const all = steps.map((given: unknown, step): TraceStep => {
    const of = given as Record<string, unknown>;
    if (typeof of !== "object" || of === null || typeof of.offset !== "object" || of.offset === null)
      throw refuse(`step ${step} is ${shown(of)}`);
    const { phase } = of, tokens = whole("tokens", of, 1, 1 << 24), seq = whole("seq", of, 0, 2 ** 31);
    if (phase !== "prefill" && phase !== "decode") throw refuse(`phase of step ${step} is ${shown(phase)}`);
    const offset = of.offset as Record<string, unknown>;
    const arrays = Object.fromEntries(fields.map((field) => [field, read(field, tokens, offset[field], step)]));
    const { ids, nextLookahead } = arrays as { ids: Uint16Array; nextLookahead?: Uint16Array };
    const wrong = [...ids, ...nextLookahead ?? []].find((id) => id >= experts && id !== NO_EXPERT);
    if (wrong !== undefined) throw refuse(`step ${step} chooses expert ${wrong} of ${experts}`);
    hash.update(ids);
    return { seq, phase, tokens, ...arrays, ids };
  });
  if (header.x_sha256Ids !== undefined && header.x_sha256Ids !== hash.digest("hex"))
    throw refuse("the experts are not those whose sha256 the header has", "It was changed: fetch it again.");
  const { layerIds } = header as { layerIds?: string[] };
  return { model: String(header.model ?? basename(path)).slice(0, 200), seed: Number(header.seed) || 0, layers, experts,
    topK, dModel, expertBytes, steps: all,
    ...(Array.isArray(layerIds) && layerIds.every((id) => typeof id === "string") && { layerIds }) };
}

/**
 * Writes NAME.trace.bin and then NAME.trace.json, which says how to read it.
 *
 * @param path of NAME.trace.json
 * @throws MoeError `bad-trace` for another ending, `file-exists`, `cannot-write`, `disk-full`
 */
export async function saveTrace(trace: RoutingTrace, path: string): Promise<void> {
  if (!path.endsWith(".trace.json"))
    throw new MoeError("bad-trace", `trace: ${path} does not end in .trace.json; accepted is such a name. Change it.`);
  const { steps, ...head } = trace;
  const fields = FIELDS.filter((field) => steps.every((step) => step[field]));
  const parts: Uint8Array[] = [], hash = createHash("sha256");
  let at = 0;
  const places = steps.map((step) => {
    const offset = Object.fromEntries(fields.map((field) => {
      const { buffer, byteOffset, byteLength } = step[field]!;
      const pad = (8 - at % 8) % 8;
      parts.push(new Uint8Array(pad), new Uint8Array(buffer, byteOffset, byteLength));
      at += pad + byteLength;
      return [field, at - byteLength];
    }));
    hash.update(new Uint8Array(step.ids.buffer, step.ids.byteOffset, step.ids.byteLength));
    return { seq: step.seq, phase: step.phase, tokens: step.tokens, offset };
  });
  const header = { version: 1, ...head, dtype: "f32", steps: places, fields, x_offsetUnit: "byte",
    x_sha256Ids: hash.digest("hex"), x_binBytes: at };
  const binary = path.replace(/\.json$/, ".bin");
  for (const file of [path, binary])
    if (existsSync(file))
      throw new MoeError("file-exists", `trace: ${file} is already there; accepted is a new name. Give another.`);
  try {
    await writeFile(binary, Buffer.concat(parts), { flag: "wx" });
    await writeWhole(path, `${JSON.stringify(header)}\n`, { verb: "trace", replaces: "{\"version\":1," });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") await rm(binary, { force: true });
    throw cannotWrite("trace", binary, error);
  }
}

async function readBinary(path: string, refuse: (seen: string, todo?: string) => Error): Promise<Uint8Array> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) throw refuse(`${basename(path)} is not there`, "Put it beside the header.");
  if (found.size > MAX_BYTES) throw refuse(`${basename(path)} has ${found.size} bytes`, "Cut it into several traces.");
  const file = await open(path);
  try {
    return await file.readFile();
  } finally {
    await file.close();
  }
}

const shown = (value: unknown) => String(JSON.stringify(value)).slice(0, 80);
