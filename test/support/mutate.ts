import fc from "fast-check";

const TOKENS = ["-1", "0", "1e999", "1e9", "9007199254740993", "18446744073709551615", "1.5", "null", "true", "{}",
  "[]", "\"\"", "\"F32\"", "\"__proto__\"", "[[[[", "}", "]", ",", ":", "\"", "\\", "\0", "\ufeff", "\ud83d\ude00"];

/**
 * One change of bytes: some replaced, cut or repeated, or one of the words that JSON is made of replaced by a hostile
 * one.
 */
export const mutation = fc.oneof(fc.record({ kind: fc.constant("flip" as const), at: fc.nat(), byte: fc.nat(255) }),
  fc.record({ kind: fc.constant("cut" as const), at: fc.nat(), length: fc.nat(40) }),
  fc.record({ kind: fc.constant("repeat" as const), at: fc.nat(), length: fc.nat(200) }),
  fc.record({ kind: fc.constant("word" as const), at: fc.nat(), token: fc.constantFrom(...TOKENS) }));

export type Mutation = typeof mutation extends fc.Arbitrary<infer Value> ? Value : never;

/** The bytes of a JSON text with changes made one after the other. */
export function mutateJson(json: Buffer, changes: readonly Mutation[]): Buffer {
  return changes.reduce((bytes, change) => (bytes.length === 0 ? bytes : mutated(bytes, change)), json);
}

function mutated(json: Buffer, change: Mutation): Buffer {
  const at = change.at % json.length;
  if (change.kind === "flip")
    return Buffer.concat([json.subarray(0, at), Buffer.of(change.byte), json.subarray(at + 1)]);
  if (change.kind === "cut") return Buffer.concat([json.subarray(0, at), json.subarray(at + change.length)]);
  if (change.kind === "repeat") return Buffer.concat([json.subarray(0, at + change.length), json.subarray(at)]);
  const words = [...json.toString("latin1").matchAll(/"[^"]*"|\d+|[[\]{},:]/g)];
  if (words.length === 0) return json;
  const word = words[change.at % words.length];
  return Buffer.concat([json.subarray(0, word.index), Buffer.from(change.token),
    json.subarray(word.index + word[0].length)]);
}
