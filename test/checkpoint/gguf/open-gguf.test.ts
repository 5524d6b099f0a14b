import fc from "fast-check";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openGguf } from "../../../sdk/checkpoint/gguf/open-gguf.js";
import { openTensors } from "../../../sdk/checkpoint/safetensors.js";
import { FormatError } from "../../../sdk/errors.js";
import { rejects } from "../../support/rejects.js";

const test = suite("open-gguf");
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
let folder = "";
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), "moelab-gguf-"));
});
test.after.each(() => rmSync(folder, { recursive: true }));

// tiny.gguf and its expected values are made by make-golden.py with the reference's own dequantisation
test("every tensor equals the reference's dequantisation", async () => {
  const store = await openGguf(here("tiny.gguf"));
  const expected = await openTensors(here("tiny.expected.safetensors"));
  assert.equal([...store.names()].sort(), [...expected.names()].sort());
  for (const name of store.names()) {
    assert.equal(store.info(name).shape, expected.info(name).shape, name);
    assert.equal(await store.values(name), await expected.values(name), name);
  }
  assert.equal([...store.names()].map((name) => store.info(name).dtype).sort(), ["BF16", "F16", "F32", "Q4_0", "Q4_K",
    "Q6_K", "Q8_0", "Q8_0"]);
  await Promise.all([store.close(), expected.close()]);
});

// types.gguf: random codes, made by make-types.py; all 23 types that gguf for Python dequantises, equal bit by bit
test("every type of ggml equals the reference's dequantisation", async () => {
  const store = await openGguf(here("types.gguf")), expected = await openTensors(here("types.expected.safetensors"));
  assert.is([...store.names()].length, 23);
  const differ: string[] = [];
  for (const name of store.names()) {
    const [values, theirs] = [await store.values(name), await expected.values(name)];
    const count = values.filter((value, at) => value !== theirs[at]).length;
    if (count > 0 || values.length !== theirs.length) differ.push(`${name}: ${count} of ${theirs.length}`);
  }
  assert.equal(differ, []);
  await Promise.all([store.close(), expected.close()]);
});

test("one expert is a part of its tensor", async () => {
  const store = await openGguf(here("tiny.gguf"));
  const name = "blk.1.ffn_up_exps.weight";
  const all = await store.values(name);
  assert.equal(await store.values(name, { start: 2, end: 3 }), all.slice(128, 192));
  assert.is((await rejects(store.values(name, { start: 0, end: 5 }))).code, "range");
  assert.is(store.config["olmoe.expert_count"], 4);
  assert.equal(store.config["tokenizer.ggml.tokens"], ["a", "b"]);
  await store.close();
});

test("a .gguf path opens like any checkpoint", async () => {
  const store = await openTensors(here("tiny.gguf"));
  assert.is([...store.names()].length, 8);
  await store.close();
});

test("mutated and truncated files are refused, or their tensors lie in the file", async () => {
  const good = readFileSync(here("tiny.gguf"));
  const path = join(folder, "mutated.gguf");
  let refused = 0;
  // header, pairs and tensor infos take the first bytes: there a change matters
  await fc.assert(fc.asyncProperty(fc.nat(700), fc.nat(255), fc.option(fc.nat(good.length)), async (at, byte, end) => {
    const bytes = Buffer.from(good.subarray(0, end ?? good.length));
    if (at < bytes.length) bytes[at] = byte;
    writeFileSync(path, bytes);
    try {
      const store = await openGguf(path);
      for (const name of store.names()) await store.bytes(name);
      await store.close();
    } catch (error) {
      assert.instance(error, FormatError, String((error as Error).stack));
      refused++;
    }
  }), { numRuns: 300, seed: 5 });
  assert.ok(refused > 50);
});

test.run();
