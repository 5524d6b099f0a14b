import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { moe } from "../../sdk/index.js";
import { checkNumbers, checkStored } from "../../sdk/model/finite.js";
import { Model } from "../../sdk/model/model.js";
import { encode } from "../../sdk/tensor/formats/index.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const ids = [[5, 9, 2, 4, 1, 7, 3, 8]];
const data = [{ ids, mask: [ids[0].map(() => 1)], labels: [[9, 2, 4, 1, 7, 3, 8, 5]] }];

/** A folder of a fixture in which some numbers of some tensors are others. */
async function spoiled(
  name: string,
  pattern: RegExp,
  value: number,
  count: number,
  run: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "moelab-finite-"));
  try {
    cpSync(fixture(`models/${name}`), folder, { recursive: true });
    const file = join(folder, "model.safetensors");
    const bytes = readFileSync(file), length = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string,
      { dtype: "F32" | "BF16"; data_offsets: [number, number] }>;
    let found = 0;
    for (const [tensor, entry] of Object.entries(header)) {
      if (!pattern.test(tensor)) continue;
      const stored = encode(new Float32Array(count).fill(value), entry.dtype);
      bytes.set(stored, 8 + length + entry.data_offsets[0]);
      found++;
    }
    assert.is(found, 1, "one tensor is spoiled");
    writeFileSync(file, bytes);
    await run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const CASES: [what: string, name: string, pattern: RegExp, value: number, said: RegExp][] = [["NaN in an expert",
  "mixtral", /layers\.1.*experts\.3\.w1/, NaN, /layers\.1\.experts\.3\.gate .* holds NaN in row 0/], [
  "Infinity in an expert",
  "mixtral",
  /layers\.1.*experts\.3\.w2/,
  Infinity,
  /layers\.1\.experts\.3\.down .* Infinity/,
], ["a NaN router", "mixtral", /layers\.1.*gate\.weight/, NaN, /layers\.1\.router .* holds NaN in row 0/], [
  "a fused expert",
  "gpt_oss",
  /layers\.0.*gate_up_proj$/,
  NaN,
  /layers\.0\.experts\.0\.(gate|up) .* holds NaN/,
], ["bfloat16", "olmoe_bf16", /layers\.1.*experts\.3\.gate_proj/, -Infinity,
  /layers\.1\.experts\.3\.gate .* -Infinity/], ["the embedding", "qwen3", /embed_tokens/, NaN,
  /embed .* holds NaN in row 0/], ["a norm of an encoder", "t5", /encoder\.block\.0\.layer\.1\.layer_norm/, NaN,
  /encoder\.layers\.0\.norm\.ffn/]];

for (const [what, name, pattern, value, said] of CASES) {
  test(`${what}: named where it is read`, () =>
    spoiled(name, pattern, value, 1, async (folder) => {
      const { model } = await openModel(folder);
      const decoderIds = model.spec.encoder ? [[0, 4]] : undefined;
      for (const run of [() => model.forward({ ids, decoderIds }), () => model.generate({ ids }, { maxTokens: 2 })]) {
        const error = await rejects(run());
        assert.is(error.code, "not-finite");
        assert.match(error.message, said);
      }
      await model.dispose();
    }));
}

test("no method plans on it, and nothing is scored", () =>
  spoiled("mixtral", /layers\.1.*gate\.weight/, NaN, 32, async (folder) => {
    for (const run of [() => moe.load(folder).profile({ data }), () => moe.load(folder).evaluate({ data }), () =>
      moe.load(folder).train({ data, steps: 1 })]) {
      const error = await rejects(run() as unknown as Promise<unknown>);
      assert.match(error.message, /layers\.1\.router/);
    }
  }));

test("nan-router of the reports: the layer and the row", async () => {
  const { model } = await openModel(fixture("reports/nan-router"));
  const error = await rejects(model.forward({ ids }));
  assert.match(error.message, /layers\.1\.router of shape \[\d+,\d+\] holds NaN in row \d/);
  await model.dispose();
});

test("a layer that is larger than the memory is checked expert by expert", () =>
  spoiled("mixtral", /layers\.1.*experts\.3\.w1/, NaN, 1, async (folder) => {
    const { model } = await openModel(folder);
    const small = new Model("small", model.spec, model.weights, { memory: 60_000 });
    assert.match((await rejects(small.forward({ ids }))).message, /layers\.1\.experts\.3\.gate/);
    await small.dispose();
    await model.dispose();
  }));

test("finite weights whose products are not: the layer and the token", () =>
  spoiled("qwen3", /layers\.0.*down_proj/, 3e38, 600, async (folder) => {
    const { model } = await openModel(folder);
    assert.match((await rejects(model.forward({ ids }))).message, /layers\.\d gives \S+ for token \d of row 0/);
    await model.dispose();
  }));

test("every format as it is stored", () => {
  for (const dtype of ["F32", "F16", "BF16", "F64", "F8_E5M2"] as const) {
    for (let at = 0; at < 9; at++) {
      for (const value of [NaN, Infinity, -Infinity]) {
        const values = Float32Array.from({ length: 9 }, (_, i) => (i === at ? value : i - 4));
        const run = () => checkStored("w", [9, 1], encode(values, dtype), dtype);
        assert.throws(run, new RegExp(`w of shape \\[9,1\\] holds ${value} in row ${at};`), `${dtype} ${at}`);
      }
    }
    checkStored("w", [8], encode(Float32Array.of(0, -0, 1, 57344, -57344, 1e-7, 2, 3), dtype), dtype);
  }
  checkStored("w", [2], encode(Float32Array.of(3.4e38, -3.4e38), "F32"), "F32");
  checkNumbers("w", [1], [1e308]);
});

test.run();
