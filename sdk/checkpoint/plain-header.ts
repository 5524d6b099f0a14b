import { dtypeSizeBytes } from "./dtype-size.js";
import type { Dtype } from "./weight-source.js";

/** One tensor as it passes by; the scanner fills the same object again and again. */
export interface PlainEntry {
  /** where the name stands in the bytes */
  nameStart: number;
  nameEnd: number;
  /** 53 bits of a hash of the name */
  nameKey: number;
  /** … of the name with * for layer and expert numbers */
  partKey: number;
  dtype: Dtype;
  /** where the lengths of the shape stand, without the brackets */
  shapeStart: number;
  shapeEnd: number;
  elements: number;
  sizeBytes: number;
}

const MAX_NAME = 4096, MAX_RANK = 64, MAX_DIGITS = 15;
const QUOTE = 0x22, COMMA = 0x2c, DOT = 0x2e, BACKSLASH = 0x5c, ZERO = 0x30, NINE = 0x39, BRACKET = 0x5d, BRACE = 0x7d;
const [DTYPE, SHAPE, OFFSETS, TEXTS] = ['":{"dtype":"', '","shape":[', '],"data_offsets":[', '":{"'].map((text) => new TextEncoder().encode(text));
const KNOWN = new Map(Object.entries(dtypeSizeBytes).map(([dtype, size]) => [[...dtype].reduce((code, letter) => (code * 31 + letter.charCodeAt(0)) | 0, 0), { dtype: dtype as Dtype, size }]));

/**
 * Walks a safetensors header as its writers write it: no space, dtype, shape, data_offsets, tensors in the order of their
 * bytes and nothing between them. Half a million entries take a tenth of a second, since no string and no object is made.
 *
 * @param header the JSON, without the 8 bytes of its length
 * @param dataBytes of the file after the header
 * @param visit called for each tensor; false stops
 * @returns false for any other header: `parseHeader` reads it, or says what is wrong
 */
export function scanPlainHeader(header: Uint8Array, dataBytes: number, visit: (entry: PlainEntry) => boolean): boolean {
  const entry = { dtype: "F32" as Dtype } as PlainEntry;
  let at = 0, covered = 0, metadata = 0;
  if (header[at++] !== 0x7b) return false;
  if (header[at] !== BRACE) {
    for (;;) {
      if (header[at++] !== QUOTE) return false;
      at = scanName(header, at, entry);
      if (at < 0) return false;
      if (entry.nameKey === METADATA) {
        at = metadata++ === 0 ? scanTexts(header, at) : -1;
        if (at < 0) return false;
      } else {
        at = scanTensor(header, at, covered, entry);
        if (at < 0) return false;
        covered += entry.sizeBytes;
        if (covered > dataBytes || !visit(entry)) return false;
      }
      if (header[at] === BRACE) break;
      if (header[at++] !== COMMA) return false;
    }
  }
  while (++at < header.length) if (header[at] !== 0x20) return false;
  return covered === dataBytes;
}

/** A name without escapes; returns where its closing quote is, -1 for any other. */
function scanName(bytes: Uint8Array, start: number, entry: PlainEntry): number {
  const hash = hashName(bytes, start);
  if (hash.end < 0 || hash.end - start > MAX_NAME) return -1;
  entry.nameStart = start;
  entry.nameEnd = hash.end;
  entry.nameKey = hash.name;
  entry.partKey = hash.part;
  return hash.end;
}

const hashed = { end: 0, name: 0, part: 0 };

/** What a byte of a name is: 0 an ordinary one, or one of these. */
const DIGIT = 1, END = 2, REFUSED = 3;
const KINDS = Uint8Array.from({ length: 256 }, (_, code) => (code >= ZERO && code <= NINE ? DIGIT : code === QUOTE || code === DOT ? END : code < 0x20 || code > 0x7f || code === BACKSLASH ? REFUSED : 0));
const [A, B] = [0x01000193, 0x5bd1e995];

/**
 * Hashes a name up to its closing quote, word by word; `part` has the same number for each word of digits alone.
 * `end` is -1 where the name has an escape, a control character or anything beyond ASCII, or no end.
 */
export function hashName(bytes: Uint8Array, start: number): { readonly end: number; readonly name: number; readonly part: number } {
  let nameA = 1, nameB = 2, partA = 1, partB = 2;
  let wordA = 0, wordB = 0, isNumber = true, wordStart = start;
  hashed.end = -1;
  for (let at = start; at < bytes.length; at++) {
    const code = bytes[at], kind = KINDS[code];
    if (kind <= DIGIT) {
      if (kind === 0) isNumber = false;
      wordA = Math.imul(wordA ^ code, A);
      wordB = Math.imul(wordB + code, B);
      continue;
    }
    if (kind === REFUSED) return hashed;
    nameA = mixed(nameA, wordA, A);
    nameB = mixed(nameB, wordB, B);
    const star = isNumber && at > wordStart;
    partA = mixed(partA, star ? 7 : wordA, A);
    partB = mixed(partB, star ? 7 : wordB, B);
    if (code === QUOTE) {
      hashed.end = at;
      hashed.name = (nameA >>> 0) * 0x200000 + (nameB >>> 11);
      hashed.part = (partA >>> 0) * 0x200000 + (partB >>> 11);
      return hashed;
    }
    wordA = wordB = 0;
    isNumber = true;
    wordStart = at + 1;
  }
  return hashed;
}

function mixed(hash: number, word: number, factor: number): number {
  const sum = Math.imul((hash ^ (hash >>> 15)) + word, factor);
  return sum ^ (sum >>> 13);
}

/** From the quote after the name to after the brace that closes the tensor; -1 unless it is plain and begins where the last one ended. */
function scanTensor(bytes: Uint8Array, start: number, covered: number, entry: PlainEntry): number {
  if (!isHere(bytes, start, DTYPE)) return -1;
  let at = start + DTYPE.length, code = 0;
  for (const end = at + 8; bytes[at] !== QUOTE; at++) {
    if (at > end) return -1;
    code = (code * 31 + bytes[at]) | 0;
  }
  const known = KNOWN.get(code);
  if (!known || !isHere(bytes, at, SHAPE)) return -1;
  entry.dtype = known.dtype;
  entry.shapeStart = at += SHAPE.length;
  let elements = 1;
  if (bytes[at] !== BRACKET) {
    for (let rank = 1; ; rank++) {
      at = scanCount(bytes, at);
      if (at < 0 || rank > MAX_RANK) return -1;
      elements *= count;
      if (bytes[at] === BRACKET) break;
      if (bytes[at++] !== COMMA) return -1;
    }
  }
  entry.shapeEnd = at;
  entry.elements = elements;
  entry.sizeBytes = elements * known.size;
  if (!Number.isSafeInteger(entry.sizeBytes) || !isHere(bytes, at, OFFSETS)) return -1;
  at = scanCount(bytes, at + OFFSETS.length);
  if (at < 0 || count !== covered || bytes[at] !== COMMA) return -1;
  at = scanCount(bytes, at + 1);
  if (at < 0 || count !== covered + entry.sizeBytes || bytes[at] !== BRACKET || bytes[at + 1] !== BRACE) return -1;
  return at + 2;
}

/** the number that `scanCount` read last */
let count = 0;

/** Digits as JSON has them; returns where they end, -1 for anything else. */
function scanCount(bytes: Uint8Array, start: number): number {
  let at = start;
  count = 0;
  for (let digit = bytes[at] - ZERO; digit >= 0 && digit <= 9; digit = bytes[++at] - ZERO) count = count * 10 + digit;
  const digits = at - start;
  return digits === 0 || digits > MAX_DIGITS || (digits > 1 && bytes[start] === ZERO) ? -1 : at;
}

/** `":{"key":"value",…}` with plain texts; returns where it ends. */
function scanTexts(bytes: Uint8Array, start: number): number {
  if (!isHere(bytes, start, TEXTS)) return -1;
  const end = bytes.indexOf(BRACE, start);
  const seen = new Set<string>();
  for (const pair of text(bytes, start + 3, end).split(",")) {
    const [, key] = /^"([\w.]*)":"[\w. :/-]*"$/.exec(pair) ?? [];
    if (key === undefined || seen.has(key)) return -1;
    seen.add(key);
  }
  return end + 1;
}

function isHere(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}

function text(bytes: Uint8Array, start: number, end: number): string {
  return new TextDecoder().decode(bytes.subarray(start, end));
}

/** the key of the one name that is no tensor */
const METADATA = hashName(new TextEncoder().encode('__metadata__"'), 0).name;
