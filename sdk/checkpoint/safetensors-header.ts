import { FormatError, MoeError } from "../errors.js";
import { dtypeSizeBytes } from "./dtype-size.js";
import { jsonMembers } from "./json-members.js";
import type { Dtype, TensorInfo } from "./weight-source.js";

/** The reference reader's own limit. The header of a 671 B model in one file would need 11 MB. */
export const MAX_HEADER_BYTES = 100_000_000;
/** numpy and PyTorch stop at 64 dimensions; a longer shape is an attempt to fill memory. */
const MAX_RANK = 64;
/** Above this a name is not a module path but an attempt to fill logs; the longest published ones have some 120 characters. */
const MAX_NAME_LENGTH = 4096;

/** 64 dimensions of 16 digits and the rest take some 1,200 characters. A shape of a million ones is refused before it is parsed. */
const MAX_ENTRY_LENGTH = 8192;

/** One tensor of a file; offsets count from the file's first byte. */
export interface HeaderEntry extends TensorInfo { name: string; start: number; end: number }

export interface SafetensorsHeader { entries: HeaderEntry[]; metadata: Record<string, string> }

/**
 * Length of the JSON header, from the first 8 bytes of a file, checked before anything is allocated for it.
 *
 * @param prefix the file's first bytes, 8 if it has as many
 */
export function headerLength(prefix: Uint8Array, fileSizeBytes: number, file: string): number {
  if (prefix.length < 8) throw refuse(file, `the file has ${fileSizeBytes} bytes`, "at least 8, the length of the header");
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) throw refuse(file, `the header claims ${length} bytes`, `at most ${MAX_HEADER_BYTES}`);
  if (8 + Number(length) > fileSizeBytes) {
    throw refuse(file, `the header claims ${length} bytes and the file ends after ${fileSizeBytes}`, "a header inside the file");
  }
  return Number(length);
}

/**
 * Parses a header and checks that its tensors cover the data exactly: in bounds, no overlap, no hole, nothing after them.
 *
 * @param header the bytes after the 8 of the length
 * @returns entries in the order of their bytes
 * @throws FormatError `safetensors` with the file and the fault
 */
export function parseHeader(header: Uint8Array, fileSizeBytes: number, file: string): SafetensorsHeader {
  const entries: HeaderEntry[] = [];
  let metadata: Record<string, string> = {};
  const seen = new Set<string>();
  try {
    for (const [name, value] of jsonMembers(decodeUtf8(header, file))) {
      if (seen.has(name)) throw refuse(file, `the name ${quote(name)} occurs twice in the header`, "one entry a tensor");
      seen.add(name);
      if (name === "__metadata__") metadata = parseMetadata(value, file);
      else entries.push(parseEntry(name, value, 8 + header.length, file));
    }
  } catch (error) {
    if (error instanceof MoeError) throw error;
    throw refuse(file, `the header is not a JSON object: ${(error as Error).message}`, "a JSON object from tensor name to dtype, shape and data_offsets");
  }
  entries.sort((a, b) => a.start - b.start || a.end - b.end);
  checkCoverage(entries, 8 + header.length, fileSizeBytes, file);
  return { entries, metadata };
}

function parseEntry(name: string, text: string, dataStart: number, file: string): HeaderEntry {
  const where = `tensor ${quote(name)}`;
  if (name.length > MAX_NAME_LENGTH) throw refuse(file, `a tensor name has ${name.length} characters`, `at most ${MAX_NAME_LENGTH}`);
  if (text.length > MAX_ENTRY_LENGTH) throw refuse(file, `${where} has an entry of ${text.length} characters`, `at most ${MAX_ENTRY_LENGTH}`);
  const fields: Record<string, unknown> = Object.create(null);
  for (const [field, value] of jsonMembers(text)) {
    if (field in fields) throw refuse(file, `${where} has ${quote(field)} twice`, "each field once");
    fields[field] = JSON.parse(value);
  }
  const { dtype, shape, data_offsets: offsets } = fields;
  for (const field of ["dtype", "shape", "data_offsets"]) {
    if (!(field in fields)) throw refuse(file, `${where} has no ${field}`, "dtype, shape and data_offsets");
  }
  const elementBytes = typeof dtype === "string" && Object.hasOwn(dtypeSizeBytes, dtype) ? dtypeSizeBytes[dtype as Dtype] : undefined;
  if (elementBytes === undefined) throw refuse(file, `${where} has dtype ${quote(dtype)}`, Object.keys(dtypeSizeBytes).join(", "));
  if (!isCounts(shape) || shape.length > MAX_RANK) {
    throw refuse(file, `${where} has shape ${quote(shape)}`, `a list of at most ${MAX_RANK} whole numbers from 0 on`);
  }
  if (!isCounts(offsets) || offsets.length !== 2) throw refuse(file, `${where} has data_offsets ${quote(offsets)}`, "two whole numbers from 0 on");
  const [start, end] = offsets;
  if (end < start) throw refuse(file, `${where} has data_offsets [${offsets}] that end before they begin`, "begin <= end");
  // every factor is a safe integer: a product past 2^53 is inexact but never small again, unless a 0 follows
  const sizeBytes = shape.reduce((product, length) => product * length, elementBytes);
  if (!Number.isSafeInteger(sizeBytes)) throw refuse(file, `${where} has shape [${shape}], whose size overflows`, "at most 2^53 bytes");
  if (sizeBytes !== end - start) {
    throw refuse(file, `${where} has shape [${shape}] of ${dtype}, which needs ${sizeBytes} bytes, and data_offsets that hold ${end - start}`, "equal sizes");
  }
  return { name, dtype: dtype as Dtype, shape, sizeBytes, start: dataStart + start, end: dataStart + end };
}

function parseMetadata(text: string, file: string): Record<string, string> {
  const metadata: Record<string, string> = Object.create(null);
  for (const [key, valueText] of jsonMembers(text)) {
    const value: unknown = JSON.parse(valueText);
    if (typeof value !== "string") throw refuse(file, `__metadata__ has ${quote(key)}: ${quote(value)}`, "strings");
    if (key in metadata) throw refuse(file, `__metadata__ has ${quote(key)} twice`, "each key once");
    metadata[key] = value;
  }
  return { ...metadata };
}

function checkCoverage(entries: HeaderEntry[], dataStart: number, fileSizeBytes: number, file: string): void {
  let covered = dataStart;
  for (const { name, start, end } of entries) {
    const data = `data_offsets [${start - dataStart}, ${end - dataStart}]`;
    if (end > fileSizeBytes) {
      throw refuse(file, `tensor ${quote(name)} has ${data} and the data has ${fileSizeBytes - dataStart} bytes: the file is cut short or the header is wrong`, "offsets inside the file");
    }
    if (start < covered) throw refuse(file, `tensor ${quote(name)} has ${data}, which overlap the tensor before it`, "tensors one after the other");
    if (start > covered) throw refuse(file, `${start - covered} bytes before tensor ${quote(name)} belong to no tensor`, "tensors one after the other without holes");
    covered = end;
  }
  if (covered < fileSizeBytes) throw refuse(file, `${fileSizeBytes - covered} bytes after the last tensor belong to no tensor`, "a file that ends with its last tensor");
}

function decodeUtf8(bytes: Uint8Array, file: string): string {
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

function refuse(file: string, seen: string, accepted: string): FormatError {
  return new FormatError("safetensors", `load: ${seen}, in ${file}; accepted is ${accepted}. Fetch or write the file again.`);
}
