import fc from "fast-check";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { type TensorToWrite, writeTensors } from "../../sdk/checkpoint/write-safetensors.js";
import { writeSharded } from "../../sdk/checkpoint/write-sharded.js";
import { dtypeSizeBytes } from "../../sdk/tensor/formats/dtype-size.js";
import type { Dtype } from "../../sdk/tensor/formats/dtype.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("write-safetensors");
let folder = "";
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), "moelab-write-"));
});
test.after.each(() => rmSync(folder, { recursive: true }));

const tensor = (name: string, dtype: Dtype, ...shape: number[]): TensorToWrite => ({ name, dtype, shape });
/** Bytes that tell every tensor and position apart. */
function bytesOf({ name, dtype, shape }: TensorToWrite): Uint8Array {
  const size = shape.reduce((product, length) => product * length, dtypeSizeBytes[dtype]!);
  return Uint8Array.from({ length: size }, (_, at) => name.length * 31 + name.charCodeAt(0) + at);
}
const dataOf = (tensors: TensorToWrite[]) => tensors.map((each) => ({ name: each.name, bytes: bytesOf(each) }));

test("what is written is read", async () => {
  // what takes less than a byte is read alone
  const dtypes = (Object.keys(dtypeSizeBytes) as Dtype[]).filter((dtype) => dtypeSizeBytes[dtype]! >= 1);
  const anyTensor = fc.record({ name: fc.string({ unit: "grapheme" }), dtype: fc.constantFrom(...dtypes),
    shape: fc.array(fc.nat(4), { maxLength: 3 }) });
  const file = join(folder, "a.safetensors");
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(anyTensor.filter(({ name }) =>
      name !== "__metadata__"
    ), { selector: ({ name }) => name, maxLength: 6 }), fc.dictionary(fc.string(), fc.string()),
      async (tensors, metadata) => {
        await writeTensors(file, tensors, dataOf(tensors).reverse(), { metadata });
        const store = await openTensors(file);
        assert.equal([...store.names()].sort(), tensors.map(({ name }) =>
          name
        ).sort());
        assert.equal({ ...store.metadata }, { ...metadata });
        for (const each of tensors) {
          assert.equal([store.info(each.name).dtype, store.info(each.name).shape], [each.dtype, each.shape]);
          assert.equal([...(await store.bytes(each.name))], [...bytesOf(each)]);
        }
        await store.close();
      }),
    { numRuns: 60, seed: 7 },
  );
});

test("data begins at a multiple of the element size, so that readers may map the file", async () => {
  const tensors = [tensor("byte", "U8", 3), tensor("double", "F64", 2), tensor("half", "BF16", 1),
    tensor("single", "F32", 1)];
  await writeTensors(join(folder, "a.safetensors"), tensors, dataOf(tensors));
  const file = readFileSync(join(folder, "a.safetensors"));
  const length = Number(file.readBigUInt64LE());
  assert.is(length % 8, 0);
  const header = JSON.parse(file.toString("utf8", 8, 8 + length));
  for (const { name, dtype } of tensors) assert.is(header[name].data_offsets[0] % dtypeSizeBytes[dtype]!, 0, name);
  assert.equal(header.__metadata__, { format: "pt" });
});

test("a tensor may come in pieces", async () => {
  const a = tensor("a", "U8", 6);
  const pieces = [{ name: "a", bytes: Uint8Array.of(4, 5, 6), at: 3 }, { name: "a", bytes: Uint8Array.of(1, 2, 3) }];
  await writeTensors(join(folder, "a.safetensors"), [a], pieces);
  const store = await openTensors(join(folder, "a.safetensors"));
  assert.equal([...(await store.bytes("a"))], [1, 2, 3, 4, 5, 6]);
  await store.close();
});

for (const [fault, pieces, code] of [["a missing tensor", [{ name: "a", bytes: new Uint8Array(4) }], "incomplete"], [
  "a tensor that is too short",
  [{ name: "a", bytes: new Uint8Array(4) }, { name: "b", bytes: new Uint8Array(7) }],
  "incomplete",
], ["a tensor that is too long", [{ name: "a", bytes: new Uint8Array(5) }], "range"], ["a tensor that comes twice", [{
  name: "a",
  bytes: new Uint8Array(4),
}, { name: "a", bytes: new Uint8Array(4) }], "range"], ["an unannounced tensor", [{ name: "c",
  bytes: new Uint8Array(4) }], "unknown-tensor"]] as const) {
  test(`${fault} is refused and leaves nothing`, async () => {
    const tensors = [tensor("a", "F32", 1), tensor("b", "F32", 2)];
    assert.is((await rejects(writeTensors(join(folder, "a.safetensors"), tensors, pieces))).code, code);
    assert.is((await rejects(writeSharded(folder, tensors, pieces, { maxShardBytes: 4 }))).code, code);
    assert.equal(readdirSync(folder), []);
  });
}

test("an equal name or a type without a size is refused before a file is made", async () => {
  assert.is((await rejects(writeTensors(join(folder, "a"), [tensor("a", "F32"), tensor("a", "F32")], []))).code,
    "duplicate-name");
  assert.is((await rejects(writeTensors(join(folder, "a"), [tensor("a", "MXFP4", 32)], []))).code, "dtype");
  assert.is((await rejects(writeTensors(join(folder, "a"), [tensor("__metadata__", "F32")], []))).code,
    "reserved-name");
  assert.equal(readdirSync(folder), []);
});

test("a full disk is said", async () => {
  symlinkSync("/dev/full", join(folder, "a.safetensors.part"));
  const error = await rejects(
    writeTensors(join(folder, "a.safetensors"), [tensor("a", "F32", 1)], [{ name: "a", bytes: new Uint8Array(4) }]),
  );
  assert.is(error.code, "disk-full");
  assert.equal(readdirSync(folder), []);
});

test("a failing source leaves the earlier file as it was", async () => {
  const file = join(folder, "a.safetensors");
  writeFileSync(file, "earlier");
  async function* source() {
    yield { name: "a", bytes: new Uint8Array(2) };
    throw new Error("the source failed");
  }
  await writeTensors(file, [tensor("a", "F32", 1)], source()).then(() => assert.unreachable(),
    (error) => assert.match(error.message, "the source failed"));
  assert.is(readFileSync(file, "utf8"), "earlier");
  assert.equal(readdirSync(folder), ["a.safetensors"]);
});

test("shards hold at most their size, in the given order, and an index", async () => {
  const tensors = [tensor("a", "F32", 2), tensor("b", "F32", 1), tensor("large", "F32", 9), tensor("c", "F32", 3)];
  const files = await writeSharded(folder, tensors, dataOf(tensors), { maxShardBytes: 12 });
  const shards = ["model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
    "model-00003-of-00003.safetensors"];
  assert.equal(files, [...shards, "model.safetensors.index.json"]);
  assert.equal(readdirSync(folder).sort(), files);
  const index = JSON.parse(readFileSync(join(folder, "model.safetensors.index.json"), "utf8"));
  assert.equal(index, { metadata: { total_size: 60 },
    weight_map: { a: shards[0], b: shards[0], c: shards[2], large: shards[1] } });
  const store = await openTensors(folder);
  for (const each of tensors) assert.equal([...(await store.bytes(each.name))], [...bytesOf(each)]);
  await store.close();
});

test("a save takes the place of an earlier one", async () => {
  const tensors = [tensor("a", "F32", 2), tensor("b", "F32", 2)];
  writeFileSync(join(folder, "config.json"), "{}");
  const sharded = await writeSharded(folder, tensors, dataOf(tensors), { maxShardBytes: 8 });
  assert.equal(await writeSharded(folder, tensors, dataOf(tensors)), ["model.safetensors"]);
  assert.equal(readdirSync(folder), ["config.json", "model.safetensors"]);
  await writeSharded(folder, tensors, dataOf(tensors), { maxShardBytes: 8 });
  assert.equal(readdirSync(folder), ["config.json", ...sharded]);
});

test("a published checkpoint is written again with the same bytes", async () => {
  const source = await openTensors(fixture("models/olmoe_bf16"));
  const tensors = [...source.names()].map((name) => ({ name, ...source.info(name) }));
  async function* data() {
    for (const { name } of tensors) yield { name, bytes: await source.bytes(name) };
  }
  await writeSharded(folder, tensors, data(), { maxShardBytes: 50_000 });
  const copy = await openTensors(folder);
  assert.equal([...copy.names()].sort(), [...source.names()].sort());
  for (const { name, dtype, shape, sizeBytes } of tensors) {
    assert.equal(copy.info(name), { dtype, shape, sizeBytes });
    assert.equal(await copy.bytes(name), await source.bytes(name));
  }
  await Promise.all([source.close(), copy.close()]);
});

test.run();
