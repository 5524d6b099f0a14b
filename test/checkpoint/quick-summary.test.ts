import fc from "fast-check";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { countByTwo } from "../../sdk/checkpoint/count-by-two.js";
import { headerSummary } from "../../sdk/checkpoint/header-summary.js";
import { quickSummary } from "../../sdk/checkpoint/quick-summary.js";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { largestFirst, type TensorGroup, tensorSummary } from "../../sdk/checkpoint/tensor-summary.js";
import { MoeError } from "../../sdk/errors.js";
import { HALF_A_MILLION, writeManyTensors } from "../support/many-tensors.js";
import { mutateJson, mutation } from "../support/mutate.js";
import { fixture } from "../support/shared.js";

const test = suite("quick-summary");
const folder = mkdtempSync(join(tmpdir(), "moelab-quick-"));
test.after(() => rmSync(folder, { recursive: true }));

/** By the reader that loading uses; undefined if it refuses the checkpoint. */
async function slowly(path: string): Promise<TensorGroup[] | undefined> {
  try {
    const store = await openTensors(path, { carefully: true });
    const groups = tensorSummary(store);
    await store.close();
    return groups;
  } catch (error) {
    assert.instance(error, MoeError);
    return undefined;
  }
}

const withHeader = (json: Uint8Array, data: Uint8Array) => {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
};

test("every fixture is counted without the slow reader, and as it counts", async () => {
  for (const name of readdirSync(fixture("models"))) {
    const quick = await quickSummary(fixture(`models/${name}`));
    assert.ok(quick, `${name} was left to the slow reader`);
    assert.equal(quick, await slowly(fixture(`models/${name}`)), name);
  }
});

test("both readers open the same tensors", async () => {
  const all = (store: Awaited<ReturnType<typeof openTensors>>) =>
    new Map([...store.names()].sort().map((name) => [name, store.info(name)]));
  for (const name of readdirSync(fixture("models"))) {
    const [quick, careful] = [await openTensors(fixture(`models/${name}`)),
      await openTensors(fixture(`models/${name}`), { carefully: true })];
    assert.equal(all(quick), all(careful), name);
    assert.equal(quick.metadata, careful.metadata, name);
    for (const one of [...quick.names()].slice(-3)) assert.equal(await quick.bytes(one), await careful.bytes(one), one);
    await Promise.all([quick.close(), careful.close()]);
  }
});

test("an index of half a million tensors is counted", async () => {
  const many = join(folder, "many");
  const { layers, experts, width, expertWidth } = HALF_A_MILLION;
  const count = await writeManyTensors(many, HALF_A_MILLION);
  assert.ok(count > 500_000);
  const groups = (await quickSummary(many))!;
  assert.is(groups.reduce((sum, { tensors }) => sum + tensors, 0), count);
  assert.equal(groups[0], { part: "model.layers.*.mlp.experts.*.down_proj.weight", dtype: "BF16",
    tensors: layers * experts, shape: `${width} x ${expertWidth}`, elements: layers * experts * width * expertWidth,
    sizeBytes: 2 * layers * experts * width * expertWidth });
  assert.is(groups.length, 15);
  assert.equal(largestFirst((await countByTwo(many))!), groups, "two threads count as one");
  // two names change places in the index: each is in a shard, but not in the one that the index says
  const path = join(many, "model.safetensors.index.json");
  const index = readFileSync(path, "utf8");
  const names = [...index.matchAll(/"(model\.layers\.\d+\.mlp\.experts\.\d+\.up_proj\.weight)": "(model-[^"]+)"/g)].map(
    ([, name]) => name
  );
  const [first, last] = [names[0], names[names.length - 1]];
  writeFileSync(path,
    index.replace(`"${first}"`, "\"swap\"").replace(`"${last}"`, `"${first}"`).replace("\"swap\"", `"${last}"`));
  assert.is(await countByTwo(many), undefined);
  writeFileSync(path, index);
  // one name less in a header: the index names a tensor that is in no shard
  const shard = join(many, "model-00007-of-00064.safetensors");
  const bytes = readFileSync(shard);
  writeFileSync(shard,
    Buffer.concat([bytes.subarray(0, 60),
      Buffer.from(bytes.subarray(60, 400).toString("latin1").replace("experts", "expErts"), "latin1"),
      bytes.subarray(400)]));
  assert.is(await quickSummary(many), undefined);
});

test("a mutated header is left to the slow reader, or both count the same", async () => {
  const file = readFileSync(fixture("models/granitemoe/model.safetensors"));
  const end = 8 + Number(file.readBigUInt64LE());
  const path = join(folder, "model.safetensors");
  let counted = 0, left = 0;
  await fc.assert(fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), async (changes) => {
    writeFileSync(path, withHeader(mutateJson(file.subarray(8, end), changes), file.subarray(end)));
    const quick = await quickSummary(folder);
    if (!quick) return void left++;
    counted++;
    assert.equal(quick, await slowly(folder));
  }), { numRuns: 1200, seed: 30 });
  rmSync(path);
  assert.ok(counted > 20 && left > 200, `${counted} counted, ${left} left`);
});

test("a mutated index is refused, or both readers count the same", async () => {
  const source = fixture("models/mixtral_sharded");
  for (const name of readdirSync(source))
    if (name.startsWith("model-")) copyFileSync(join(source, name), join(folder, name));
  const index = readFileSync(join(source, "model.safetensors.index.json"));
  let counted = 0, refused = 0;
  await fc.assert(fc.asyncProperty(fc.array(mutation, { maxLength: 2 }), async (changes) => {
    writeFileSync(join(folder, "model.safetensors.index.json"), mutateJson(index, changes));
    const [quick, slow] = [await quickSummary(folder), await slowly(folder)];
    if (!slow) refused++;
    if (!quick) return;
    counted++;
    assert.equal(quick, slow);
  }), { numRuns: 800, seed: 31 });
  assert.ok(counted > 20 && refused > 200, `${counted} counted, ${refused} refused`);
});

test("what no writer writes is left to the slow reader", async () => {
  const data = new Uint8Array(8);
  const path = join(folder, "model.safetensors");
  const one = (name: string, start: number) =>
    `"${name}":{"dtype":"F32","shape":[1],"data_offsets":[${start},${start + 4}]}`;
  const quick = async (json: string) => {
    writeFileSync(path, withHeader(Buffer.from(json), data));
    const groups = await quickSummary(folder);
    rmSync(path);
    return groups;
  };
  assert.ok(await quick(`{${one("a", 0)},${one("b", 4)}}`));
  assert.ok(await quick(`{"__metadata__":{"format":"pt"},${one("a", 0)},${one("b", 4)}}  `));
  for (const json of [`{${one("a", 0)},${one("a", 4)}}`, `{${one("b", 4)},${one("a", 0)}}`, `{${one("a", 0)}}`,
    `{${one("__metadata__", 0)},${one("b", 4)}}`, `{${one("a\\u0041", 0)},${one("b", 4)}}`,
    `{"__metadata__":{"a":"1"},"__metadata__":{"a":"1"},${one("a", 0)},${one("b", 4)}}`,
    `{"__metadata__":{"a":"1","a":"1"},${one("a", 0)},${one("b", 4)}}`,
    `{"__metadata__":{"a":1},${one("a", 0)},${one("b", 4)}}`, `{${one("a", 0)},${one("b", 4)}} x`,
    `{${one("a", 0)},${one("b", 4)},}`, `{ ${one("a", 0)},${one("b", 4)}}`,
    `{${one("a", 0).replace("[1]", "[01]")},${one("b", 4)}}`, `{${one("é", 0)},${one("b", 4)}}`])
    assert.is(await quick(json), undefined, json);
});

test("a file, and a folder that the quick reader leaves, are counted by the slow one", async () => {
  assert.equal(await headerSummary(fixture("dtypes.safetensors")), await slowly(fixture("dtypes.safetensors")));
});

test.run();
