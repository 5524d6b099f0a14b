import { FormatError, MoeError } from "../errors.js";
import type { TensorInfo } from "../model/weight-source.js";
import { dtypeSizeBytes } from "../tensor/formats/dtype-size.js";
import type { Dtype } from "../tensor/formats/dtype.js";
import { jsonMembers } from "./json-members.js";

/** The reference reader's own limit. The header of a 671 B model in one file would need 11 MB. */
export const MAX_HEADER_BYTES = 100_000_000;
/** numpy and PyTorch stop at 64 dimensions; a longer shape is an attempt to fill memory. */
const MAX_RANK = 64;
/**
 * Above this a name is not a module path but an attempt to fill logs; the longest published ones have some 120
 * characters.
 */
const MAX_NAME_LENGTH = 4096;

/**
 * 64 dimensions of 16 digits and the rest take some 1,200 characters. A shape of a million ones is refused before it is
 * parsed.
 */
const MAX_ENTRY_LENGTH = 8192;

/** What a header is checked against, and named by in errors. */
export interface SizedFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** One tensor of a file; `start` counts from the file's first byte. */
export interface HeaderEntry<F extends SizedFile> extends TensorInfo {
  name: string;
  file: F;
  start: number;
}

export interface SafetensorsHeader<F extends SizedFile> {
  entries: HeaderEntry<F>[];
  metadata: Record<string, string>;
}

/**
 * Length of the JSON header, from the first 8 bytes of a file, checked before anything is allocated for it.
 *
 * @param prefix the file's first bytes, 8 if it has as many
 */
export function headerLength(prefix: Uint8Array, file: SizedFile): number {
  if (prefix.length < 8)
    throw refuse(file, `the file has ${file.sizeBytes} bytes`, "at least 8, the length of the header");
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES))
    throw refuse(file, `the header claims ${length} bytes`, `at most ${MAX_HEADER_BYTES}`);
  if (8 + Number(length) > file.sizeBytes) {
    throw refuse(file, `the header claims ${length} bytes and the file ends after ${file.sizeBytes}`,
      "a header inside the file");
  }
  return Number(length);
}

/**
 * Parses a header and checks that its tensors cover the data exactly: in bounds, no overlap, no hole, nothing after
 * them.
 *
 * @param header the bytes after the 8 of the length
 * @returns entries in the order of their bytes
 * @throws FormatError `safetensors` with the file and the fault
 */
export function parseHeader<F extends SizedFile>(header: Uint8Array, file: F): SafetensorsHeader<F> {
  const entries: HeaderEntry<F>[] = [];
  let metadata: Record<string, string> = {};
  const seen = new Set<string>();
  try {
    for (const [name, value] of jsonMembers(decodeUtf8(header, file))) {
      if (seen.has(name))
        throw refuse(file, `the name ${quote(name)} occurs twice in the header`, "one entry a tensor");
      seen.add(name);
      if (name === "__metadata__") metadata = parseMetadata(value, file);
      else entries.push(parseEntry(name, value, 8 + header.length, file));
    }
  } catch (error) {
    if (error instanceof MoeError) throw error;
    throw refuse(file, `the header is not a JSON object: ${(error as Error).message}`,
      "a JSON object from tensor name to dtype, shape and data_offsets");
  }
  entries.sort((a, b) => a.start - b.start || a.sizeBytes - b.sizeBytes);
  checkCoverage(entries, 8 + header.length, file);
  return { entries, metadata };
}

function parseEntry<F extends SizedFile>(name: string, text: string, dataStart: number, file: F): HeaderEntry<F> {
  const fault = (seen: string, accepted: string) => refuse(file, `tensor ${quote(name)} has ${seen}`, accepted);
  if (name.length > MAX_NAME_LENGTH) throw fault(`a name of ${name.length} characters`, `at most ${MAX_NAME_LENGTH}`);
  if (text.length > MAX_ENTRY_LENGTH)
    throw fault(`an entry of ${text.length} characters`, `at most ${MAX_ENTRY_LENGTH}`);
  const fields = (JSON.parse(text) ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  const count = Object.keys(fields).length;
  // JSON.parse hides duplicates. There is one colon a field, unless a string has one: then the fields are counted
  if (text.split(":").length - 1 !== count && [...jsonMembers(text)].length !== count)
    throw fault("a field twice", "each field once");
  const { dtype, shape, data_offsets: offsets } = fields;
  if (dtype === undefined || shape === undefined || offsets === undefined) {
    throw fault(`no ${dtype === undefined ? "dtype" : shape === undefined ? "shape" : "data_offsets"}`,
      "dtype, shape and data_offsets");
  }
  const elementBytes = typeof dtype === "string" && Object.hasOwn(dtypeSizeBytes, dtype)
    ? dtypeSizeBytes[dtype as Dtype]
    : undefined;
  if (elementBytes === undefined) throw fault(`dtype ${quote(dtype)}`, Object.keys(dtypeSizeBytes).join(", "));
  if (!isCounts(shape) || shape.length > MAX_RANK)
    throw fault(`shape ${quote(shape)}`, `a list of at most ${MAX_RANK} whole numbers from 0 on`);
  if (!isCounts(offsets) || offsets.length !== 2)
    throw fault(`data_offsets ${quote(offsets)}`, "two whole numbers from 0 on");
  const [start, end] = offsets;
  if (end < start) throw fault(`data_offsets [${offsets}] that end before they begin`, "begin <= end");
  // every factor is a safe integer: a product past 2^53 is inexact but never small again, unless a 0 follows
  const sizeBytes = shape.reduce((product, length) => product * length, elementBytes);
  if (!Number.isSafeInteger(Math.ceil(sizeBytes)))
    throw fault(`shape [${shape}], whose size overflows`, "at most 2^53 bytes");
  if (sizeBytes !== end - start) {
    throw fault(
      `shape [${shape}] of ${dtype}, which needs ${sizeBytes} bytes, and data_offsets that hold ${end - start}`,
      "equal sizes",
    );
  }
  return { name, dtype: dtype as Dtype, shape, sizeBytes, file, start: dataStart + start };
}

function parseMetadata(text: string, file: SizedFile): Record<string, string> {
  const metadata: Record<string, string> = Object.create(null);
  for (const [key, valueText] of jsonMembers(text)) {
    const value: unknown = JSON.parse(valueText);
    if (typeof value !== "string") throw refuse(file, `__metadata__ has ${quote(key)}: ${quote(value)}`, "strings");
    if (key in metadata) throw refuse(file, `__metadata__ has ${quote(key)} twice`, "each key once");
    metadata[key] = value;
  }
  return { ...metadata };
}

function checkCoverage(entries: HeaderEntry<SizedFile>[], dataStart: number, file: SizedFile): void {
  let covered = dataStart;
  for (const { name, start, sizeBytes } of entries) {
    const end = start + sizeBytes;
    const data = () => `tensor ${quote(name)} has data_offsets [${start - dataStart}, ${end - dataStart}]`;
    if (end > file.sizeBytes) {
      throw refuse(file,
        `${data()} and the data has ${file.sizeBytes - dataStart} bytes: the file is cut short or the header is wrong`,
        "offsets inside the file");
    }
    if (start < covered)
      throw refuse(file, `${data()}, which overlap the tensor before it`, "tensors one after the other");
    if (start > covered)
      throw refuse(file, `${start - covered} bytes before tensor ${quote(name)} belong to no tensor`,
        "tensors one after the other without holes");
    covered = end;
  }
  if (covered < file.sizeBytes)
    throw refuse(file, `${file.sizeBytes - covered} bytes after the last tensor belong to no tensor`,
      "a file that ends with its last tensor");
}

function decodeUtf8(bytes: Uint8Array, file: SizedFile): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refuse(file, "the header is not UTF-8", "JSON in UTF-8");
  }
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}

function refuse({ path }: SizedFile, seen: string, accepted: string): FormatError {
  return new FormatError("safetensors",
    `load: ${seen}, in ${path}; accepted is ${accepted}. Fetch or write the file again.`);
}
