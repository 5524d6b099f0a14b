import { Literal, viewOf } from "./literal.js";
import type { NameKinds } from "./name-kinds.js";
import { isInside, MAX_SHARDS } from "./safetensors-index.js";

const QUOTE = 0x22, COMMA = 0x2c, COLON = 0x3a, BACKSLASH = 0x5c, BRACE = 0x7d;

/**
 * Walks a model.safetensors.index.json as its writers write it: `metadata` and one `weight_map` from name to file,
 * nothing
 * else and no escapes.
 *
 * @param visit called with the key of each name and the number of its file; false stops
 * @returns the files; undefined for any other index: `openIndex` reads it, or says what is wrong
 */
export function scanPlainIndex(json: Uint8Array, names: NameKinds, visit: (key: number, file: number) => boolean):
  | string[]
  | undefined {
  let at = findMap(json);
  if (at < 0) return undefined;
  const files: string[] = [], view = viewOf(json);
  /** what stood between two names, by the number of the file in it: most often it stands there again */
  const between: Literal[] = [];
  let number = -1;
  at = skipSpace(json, at + 1);
  if (json[at++] !== QUOTE) return undefined;
  for (;;) {
    const end = names.read(json, at);
    if (end < 0) return undefined;
    const known = between[number] as Literal | undefined;
    if (known?.isAt(view, end)) {
      if (!visit(names.key, number)) return undefined;
      at = end + known.length;
      continue;
    }
    at = skipSpace(json, end + 1);
    if (json[at] !== COLON) return undefined;
    at = skipSpace(json, at + 1);
    if (json[at++] !== QUOTE) return undefined;
    const fileEnd = json.indexOf(QUOTE, at);
    const file = fileEnd < 0 || fileEnd - at > MAX_PATH ? undefined : plainText(json.subarray(at, fileEnd));
    if (!file) return undefined;
    number = files.indexOf(file);
    if (number < 0) {
      if (!isInside(file) || files.length === MAX_SHARDS) return undefined;
      number = files.push(file) - 1;
    }
    if (!visit(names.key, number)) return undefined;
    at = skipSpace(json, fileEnd + 1);
    if (json[at] === BRACE) return isTail(json, at + 1) ? files : undefined;
    if (json[at] !== COMMA) return undefined;
    at = skipSpace(json, at + 1);
    if (json[at++] !== QUOTE) return undefined;
    if (!between[number]?.isAt(view, end)) between[number] = new Literal(json.subarray(end, at));
  }
}

const MAX_PATH = 4096;

/** Undefined for a text with escapes, control characters or anything beyond ASCII. */
function plainText(bytes: Uint8Array): string | undefined {
  return bytes.every((code) => code >= 0x20 && code < 0x7f && code !== BACKSLASH)
    ? new TextDecoder().decode(bytes)
    : undefined;
}

const METADATA = String.raw`"metadata"\s*:\s*(\{[\s\w":,.+-]*\})`;
const HEAD = new RegExp(`^\\s*\\{\\s*(?:${METADATA}\\s*,\\s*)?"weight_map"\\s*:\\s*\\{`);
const TAIL = new RegExp(`^\\s*(?:,\\s*${METADATA}\\s*)?\\}\\s*$`);
/** what stands around the map has some hundred bytes */
const AROUND = 4096;

/** Index of the brace that opens the map; -1 where more than a flat `metadata` stands before it. */
function findMap(json: Uint8Array): number {
  const [head, metadata] = HEAD.exec(new TextDecoder("latin1").decode(json.subarray(0, AROUND))) ?? [];
  return head !== undefined && isJson(metadata) ? head.length - 1 : -1;
}

/** Whether only the end of the object follows, or `metadata` and the end. */
function isTail(json: Uint8Array, end: number): boolean {
  if (json.length - end > AROUND) return false;
  const [tail, metadata] = TAIL.exec(new TextDecoder("latin1").decode(json.subarray(end))) ?? [];
  return tail !== undefined && isJson(metadata);
}

function isJson(text: string | undefined): boolean {
  try {
    return text === undefined || JSON.parse(text) !== undefined;
  } catch {
    return false;
  }
}

function skipSpace(bytes: Uint8Array, at: number): number {
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at++;
  return at;
}
