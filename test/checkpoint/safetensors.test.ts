import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { FormatError } from "../../sdk/errors.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("safetensors");
let folder = "";
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), "moelab-safetensors-"));
});
test.after.each(() => rmSync(folder, { recursive: true }));

/** The faults of test/fixtures/malformed/README.md in the words of our message. */
const faults: Record<string, RegExp> = {
  empty: /the file has 0 bytes/,
  short_length: /the file has 3 bytes/,
  truncated_header: /header claims 112 bytes and the file ends after 40/,
  truncated_data: /"b" has data_offsets \[16, 24\] and the data has 20 bytes.*cut short/,
  header_beyond_file: /header claims 1048576 bytes and the file ends after 144/,
  header_huge: /header claims 9223372036854775807 bytes, in .* at most 100000000/,
  header_negative: /header claims 18446744073709551615 bytes, in .* at most 100000000/,
  not_json: /header is not a JSON object: it begins with "this is not JSON/,
  not_object: /header is not a JSON object: it begins with "\[1, 2, 3\]/,
  not_utf8: /header is not UTF-8/,
  overlap: /"b" has data_offsets \[12, 20\], which overlap/,
  hole: /4 bytes before tensor "b" belong to no tensor/,
  trailing_bytes: /4 bytes after the last tensor belong to no tensor/,
  wrong_dtype: /"a" has dtype "F31"/,
  shape_mismatch: /"a" has shape \[3,2\] of F32, which needs 24 bytes, and data_offsets that hold 16/,
  offsets_reversed: /"a" has data_offsets \[16,0\] that end before they begin/,
  offsets_beyond: /"b" has data_offsets \[16, 32\] and the data has 24 bytes/,
  negative_dim: /"a" has shape \[-2,-2\].* whole numbers from 0 on/,
  shape_overflow: /shape \[4294967296,4294967296,2\], whose size overflows/,
  fractional_dim: /"a" has shape \[2.5,1.6\].* whole numbers/,
  missing_offsets: /"a" has no data_offsets/,
  duplicate_key: /the name "a" occurs twice/,
  duplicate_same: /the name "b" occurs twice/,
  metadata_not_strings: /__metadata__ has "n": 1.*strings/,
};

for (const file of readdirSync(fixture("malformed")).filter((name) => name.endsWith(".safetensors"))) {
  const name = file.replace(".safetensors", "");
  test(`malformed: ${name}`, async () => {
    const path = fixture(`malformed/${file}`);
    if (name.startsWith("valid")) {
      const store = await openTensors(path);
      assert.equal([...store.names()], ["a", "b"]);
      assert.equal([...(await store.values("a"))], [1, 2, 3, 4]);
      assert.equal([...(await store.values("b"))], [5, 6]);
      return store.close();
    }
    const error = await rejects(openTensors(path), FormatError);
    assert.match(error.message, faults[name]);
    assert.ok(error.message.includes(path), "the message names the file");
  });
}

test("rows and byte ranges read a part", async () => {
  const store = await openTensors(fixture("malformed/valid.safetensors"));
  assert.equal([...(await store.values("a", { start: 1, end: 2 }))], [3, 4]);
  assert.equal([...(await store.values("a", { start: 2, end: 2 }))], []);
  assert.equal([...(await store.bytes("b", { start: 4, end: 8 }))], [0, 0, 192, 64]);
  for (const rows of [{ start: 0, end: 3 }, { start: -1, end: 1 }, { start: 1, end: 0 }, { start: 0.5, end: 1 }]) {
    assert.is((await rejects(store.values("a", rows))).code, "range");
  }
  await store.close();
});

test("an unknown tensor is answered with the nearest name", async () => {
  const store = await openTensors(fixture("models/mixtral_sharded"));
  const error = await rejects(store.values("lm_head.wight"));
  assert.is(error.code, "unknown-tensor");
  assert.match(error.message, /nearest is "lm_head.weight"/);
  await store.close();
});

test("a sharded checkpoint has the tensors of its index", async () => {
  const store = await openTensors(fixture("models/mixtral_sharded"));
  const index = JSON.parse(readFileSync(fixture("models/mixtral_sharded/model.safetensors.index.json"), "utf8"));
  assert.equal([...store.names()].sort(), Object.keys(index.weight_map).sort());
  assert.is([...store.names()].reduce((sum, name) => sum + store.info(name).sizeBytes, 0), index.metadata.total_size);
  await store.close();
});

/** A folder with one good shard, sub/model.safetensors beside it, and this index. */
function indexed(index: string): string {
  const good = readFileSync(fixture("malformed/valid.safetensors"));
  mkdirSync(join(folder, "model", "sub"), { recursive: true });
  for (const path of ["outside.safetensors", "model/inside.safetensors", "model/sub/inside.safetensors"])
    writeFileSync(join(folder, path), good);
  writeFileSync(join(folder, "model", "model.safetensors.index.json"), index);
  return join(folder, "model");
}

for (const shard of ["../outside.safetensors", "sub/../../outside.safetensors", "/etc/passwd",
  "..\\outside.safetensors", "C:/x", "", "a\0b", 3, null, ["inside.safetensors"]]) {
  test(`an index may not name ${JSON.stringify(shard)}`, async () => {
    const error = await rejects(openTensors(indexed(JSON.stringify({ weight_map: { a: shard } }))), FormatError);
    assert.is(error.code, "safetensors-index");
    assert.match(error.message, /file names inside the folder/);
  });
}

test("an index may name files below the folder", async () => {
  const store = await openTensors(indexed("{\"weight_map\": {\"a\": \"sub/inside.safetensors\"}}"));
  assert.equal([...store.names()], ["a", "b"], "b is in the shard, though not in the index");
  await store.close();
});

for (const [index, fault] of [["", /not a JSON object/], ["{\"weight_map\": {\"a\": \"inside.safetensors\"}",
  /not a JSON object/], ["{\"weight_map\": [\"inside.safetensors\"]}", /not a JSON object/], ["{\"metadata\": {}}",
  /weight_map is missing/], ["{\"weight_map\": {}, \"weight_map\": {}}", /weight_map occurs twice/], [
  "{\"weight_map\": {\"a\": \"inside.safetensors\", \"a\": \"sub/inside.safetensors\"}}",
  /"a" occurs twice/,
], ["{\"weight_map\": {\"c\": \"inside.safetensors\"}}", /"c" is not in inside.safetensors/], [
  `{"weight_map": ${"[".repeat(100)}`,
  /more than 32 brackets/,
]] as const) {
  test(`index refused: ${String(fault)}`, async () => {
    const error = await rejects(openTensors(indexed(index)), FormatError);
    assert.match(error.message, fault);
  });
}

test("a missing shard is named", async () => {
  const error = await rejects(openTensors(indexed("{\"weight_map\": {\"a\": \"model-00002.safetensors\"}}")));
  assert.match(error.message, /model-00002.safetensors is not there/);
});

test("what is no file is refused, and a pipe does not keep anybody waiting", async () => {
  const at = (name: string) => join(indexed("{}"), name);
  execFileSync("mkfifo", [at("pipe.safetensors")]);
  mkdirSync(at("folder.safetensors"));
  symlinkSync("/dev/zero", at("endless.safetensors"));
  symlinkSync("round.safetensors", at("round.safetensors"));
  for (const shard of ["pipe", "folder", "endless", "round"]) {
    const error = await rejects(openTensors(indexed(JSON.stringify({ weight_map: { a: `${shard}.safetensors` } }))));
    assert.is(error.code, "not-readable", shard);
  }
});

test("a folder without weights is told what to hold", async () => {
  assert.is((await rejects(openTensors(folder))).code, "no-checkpoint");
  assert.is((await rejects(openTensors(join(folder, "nothing")))).code, "no-such-file");
});

test.run();
