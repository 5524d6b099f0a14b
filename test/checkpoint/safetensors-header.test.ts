import fc from "fast-check";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { jsonMembers } from "../../sdk/checkpoint/json-members.js";
import { headerLength, parseHeader } from "../../sdk/checkpoint/safetensors-header.js";
import { FormatError } from "../../sdk/errors.js";
import { fixture } from "../support/shared.js";

const test = suite("safetensors-header");
const good = readFileSync(fixture("malformed/valid.safetensors"));
const dtypes = readFileSync(fixture("dtypes.safetensors"));

const memory = (sizeBytes: number) => ({ path: "memory", sizeBytes });

/** Parses a whole file in memory as the reader does: undefined if it was refused. */
function parse(file: Uint8Array) {
  try {
    const length = headerLength(file.subarray(0, 8), memory(file.length));
    return parseHeader(file.subarray(8, 8 + length), memory(file.length));
  } catch (error) {
    assert.instance(error, FormatError, `expected a FormatError, got ${(error as Error).stack}`);
    return undefined;
  }
}

const hostileTokens = ["-1", "0", "1e999", "9007199254740993", "18446744073709551615", "1.5", "null", "true", "{}",
  "[]", "\"\"", "\"F32\"", "\"__proto__\"", "[[[[", "}", "]", ",", ":", "\"", "\\", "\0", "\ufeff", "\ud83d\ude00"];

/** One change of a file: bytes replaced, cut, repeated, or a word of the header replaced by a hostile one. */
const mutation = fc.oneof(fc.record({ kind: fc.constant("flip" as const), at: fc.nat(), byte: fc.nat(255) }),
  fc.record({ kind: fc.constant("cut" as const), at: fc.nat(), length: fc.nat(40) }),
  fc.record({ kind: fc.constant("repeat" as const), at: fc.nat(), length: fc.nat(200) }),
  fc.record({ kind: fc.constant("word" as const), at: fc.nat(), token: fc.constantFrom(...hostileTokens) }));

type Mutation = typeof mutation extends fc.Arbitrary<infer Value> ? Value : never;

function mutate(file: Buffer, change: Mutation): Buffer {
  const at = change.at % file.length;
  if (change.kind === "flip")
    return Buffer.concat([file.subarray(0, at), Buffer.of(change.byte), file.subarray(at + 1)]);
  if (change.kind === "cut") return Buffer.concat([file.subarray(0, at), file.subarray(at + change.length)]);
  if (change.kind === "repeat") return Buffer.concat([file.subarray(0, at + change.length), file.subarray(at)]);
  // the length is written again, so that the JSON is reached and not the length refused
  const headerEnd = 8 + Number(file.length >= 8 ? file.readBigUInt64LE() : 0n);
  if (headerEnd > file.length) return file;
  const words = [...file.toString("latin1", 8, headerEnd).matchAll(/"[^"]*"|\d+|[[\]{},:]/g)];
  if (words.length === 0) return file;
  const word = words[change.at % words.length];
  const json = Buffer.concat([file.subarray(8, 8 + word.index), Buffer.from(change.token),
    file.subarray(8 + word.index + word[0].length, headerEnd)]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, file.subarray(headerEnd)]);
}

test("mutated files are refused, or their tensors lie in the file without overlap", () => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.constantFrom(good, dtypes), fc.array(mutation, { minLength: 1, maxLength: 4 }), (file, changes) => {
      const bytes = changes.reduce<Buffer>((each, change) => (each.length === 0 ? each : mutate(each, change)), file);
      const header = parse(bytes);
      if (!header) return;
      accepted++;
      let covered = 8 + headerLength(bytes, memory(bytes.length));
      for (const { start, sizeBytes } of header.entries) {
        assert.is(start, covered);
        covered += sizeBytes;
      }
      assert.is(covered, bytes.length);
    }),
    { numRuns: 5000, seed: 20 },
  );
  assert.ok(accepted > 50, `only ${accepted} were accepted: the mutations are too coarse to reach the checks`);
});

test("random bytes behind a matching length are refused", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (json) => {
    const file = Buffer.concat([Buffer.alloc(8), json]);
    file.writeBigUInt64LE(BigInt(json.length));
    parse(file);
  }), { numRuns: 2000, seed: 21 });
});

test("names and metadata keys may be those of Object.prototype", () => {
  const json = Buffer.from(
    "{\"__metadata__\":{\"__proto__\":\"x\",\"constructor\":\"y\"},\"__proto__\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
  );
  const header = parseHeader(json, memory(8 + json.length + 1));
  assert.is(header.entries[0].name, "__proto__");
  assert.equal(Object.entries(header.metadata), [["__proto__", "x"], ["constructor", "y"]]);
  for (const dtype of ["toString", "__proto__"]) {
    const bad = Buffer.from(`{"a":{"dtype":"${dtype}","shape":[1],"data_offsets":[0,1]}}`);
    assert.throws(() => parseHeader(bad, memory(8 + bad.length + 1)), /has dtype/);
  }
});

test("a shape of a million ones is refused before it is parsed", () => {
  const json = Buffer.from(`{"a":{"dtype":"U8","shape":[${"1,".repeat(1e6)}1],"data_offsets":[0,1]}}`);
  assert.throws(() => parseHeader(json, memory(8 + json.length + 1)), /entry of 2000\d+ characters/);
  const deep = Buffer.from(`{"a":${"[".repeat(1e6)}`);
  assert.throws(() => parseHeader(deep, memory(8 + deep.length)), /more than 32 brackets/);
});

test("jsonMembers yields what JSON.parse has, and duplicates besides", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ maxDepth: 3 })),
      fc.constantFrom(undefined, 1, "\t"), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      const members = [...jsonMembers(text)].map(([name, member]) => [name, JSON.parse(member)]);
      assert.equal(members, Object.entries(JSON.parse(text)));
    }),
    { numRuns: 500, seed: 22 },
  );
  assert.equal([...jsonMembers("{\"a\":1,\"a\":2}")], [["a", "1"], ["a", "2"]]);
  for (const text of ["", "[]", "{", "{\"a\"}", "{\"a\":1", "{\"a\":1,}", "{\"a\":1}x", "{a:1}", "{\"a", "{,}"])
    assert.throws(() => [...jsonMembers(text)], (error: unknown) => error instanceof SyntaxError, text);
});

test.run();
