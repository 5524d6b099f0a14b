import type { Rng } from "../../sdk/tensor/rng.js";

// One change or a few of a text, of bytes or of JSON, drawn by a generator: the same draws give the same input.

const one = <T>(rng: Rng, values: readonly T[]): T => values[rng.int(values.length)]!;
const deep = (depth: number) => JSON.parse("[".repeat(depth) + "]".repeat(depth)) as unknown;

/** a value that nobody expects at its place */
function hostile(rng: Rng): unknown {
  return one<() => unknown>(rng, [() => -1, () => 0, () => 1, () => 2, () => 7, () => 0.5, () => 1e9, () => 2 ** 31,
    () => 2 ** 53, () => 1e308, () => null, () => true, () => false, () => "", () => "x", () => "constructor",
    () => "__proto__", () => "toString", () => "1e9", () => "\0\u202e\x1b[2J", () => "\ud800", () => "x".repeat(70_000),
    () => [], () => ({}), () => [null], () => [[]], () => [1e9], () => ({ toString: 1 }), () => ({ length: 1e9 }),
    () => ({ constructor: null }), () => deep(1 + rng.int(200)), () => Array.from({ length: 2000 }, (_, i) => i),
    () => rng.int(100), () => -rng.int(100), () => rng.normal()])();
}

interface Place {
  owner: Record<string, unknown> | unknown[];
  key: string | number;
}

function placesOf(value: unknown, found: Place[] = []): Place[] {
  if (typeof value !== "object" || value === null) return found;
  for (const key of Object.keys(value)) {
    const at = Array.isArray(value) ? Number(key) : key;
    found.push({ owner: value as Place["owner"], key: at });
    if (found.length < 20_000) placesOf((value as Record<string, unknown>)[key], found);
  }
  return found;
}

/** A copy of JSON with one to three values or keys changed, of any depth. */
export function mutatedJson<T>(rng: Rng, json: T): unknown {
  const root = { json: structuredClone(json) as unknown };
  for (let left = 1 + rng.int(3); left > 0; left--) {
    const places = placesOf(root);
    // outer places are few and say more
    const place = one(rng, rng.int(2) ? places : places.slice(0, 40));
    const owner = place.owner as Record<string | number, unknown>;
    const value = owner[place.key];
    const change = rng.int(10);
    if (change < 5) owner[place.key] = hostile(rng);
    else if (change === 5)
      Array.isArray(place.owner) ? place.owner.splice(Number(place.key), 1) : delete owner[place.key];
    else if (change === 6)
      owner[place.key] = value !== null && typeof value === "object" ? Object.values(value) : [value];
    else if (change === 7) {
      const other = one(rng, places); // of another place of the same
      owner[place.key] = structuredClone((other.owner as Record<string | number, unknown>)[other.key]);
    } else if (change === 8 && !Array.isArray(place.owner)) {
      const name = one(rng, ["__proto__", "constructor", "x", "", String(place.key).toUpperCase(), "y".repeat(70_000)]);
      Object.defineProperty(owner, name, { value, enumerable: true, configurable: true, writable: true });
      delete owner[place.key];
    } else if (typeof value === "number")
      owner[place.key] = one(rng, [-value, value + 1, value - 1, value * 2, value / 3]);
    else if (typeof value === "string") owner[place.key] = mutatedText(rng, value);
    else owner[place.key] = hostile(rng);
  }
  return root.json;
}

const PIECES = ["{", "}", "[", "]", "\"", "'", "\\", ",", ":", "{%", "%}", "{{", "}}", "{#", "|", "(", ")", "-", "\n",
  "\0", "\ufeff", "\ud83d\ude00", "\x85", "null", "1e999", "99999999999999999999", "-1", "__proto__", " for ", " in ",
  " is ", " if ", " not ", "**", "//", "%", "*", "~", ".", "=", "range(1000000)", "x".repeat(5000)];

/** A text with some characters or words cut, repeated, moved, or replaced by such as mean something. */
export function mutatedText(rng: Rng, text: string): string {
  let out = text;
  for (let left = 1 + rng.int(3); left > 0; left--) {
    const words = [...out.matchAll(/\w+|[^\w\s]|\s+/g)];
    const word = words.length ? one(rng, words) : undefined;
    const at = word && rng.int(3) ? word.index : rng.int(out.length + 1);
    const length = word && at === word.index ? word[0].length : rng.int(40);
    const [before, cut, after] = [out.slice(0, at), out.slice(at, at + length), out.slice(at + length)];
    const other = words.length ? one(rng, words)[0] : "";
    out = one(rng, [before + after, before + cut + cut + after, before + one(rng, PIECES) + after,
      before + other + after, before + cut + one(rng, PIECES) + after, before,
      before + cut.repeat(rng.int(2000)) + after]);
    if (out.length > 500_000) out = out.slice(0, 500_000);
  }
  return out;
}

/** Bytes with one to four places flipped, cut, repeated, or overwritten with numbers that mean something. */
export function mutatedBytes(rng: Rng, bytes: Buffer): Buffer {
  let out = Buffer.from(bytes);
  for (let left = 1 + rng.int(4); left > 0 && out.length > 8; left--) {
    // most of what is read carefully stands at the beginning
    const at = rng.int(rng.int(3) ? Math.min(out.length, 2048) : out.length);
    const change = rng.int(6);
    if (change === 0) out[at] = rng.int(256);
    else if (change === 1) out[at] = out[at]! ^ (1 << rng.int(8));
    else if (change === 2) out = Buffer.concat([out.subarray(0, at), out.subarray(at + 1 + rng.int(64))]);
    else if (change === 3) out = Buffer.concat([out.subarray(0, at + rng.int(64)), out.subarray(at)]);
    else if (change === 4 && at + 8 <= out.length)
      out.writeBigUInt64LE(one(rng, [0n, 1n, 2n ** 31n, 2n ** 32n, 2n ** 40n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]),
        at);
    else if (at + 4 <= out.length) out.writeUInt32LE(one(rng, [0, 1, 127, 255, 2 ** 16, 2 ** 31, 2 ** 32 - 1]), at);
  }
  return out;
}
