import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packedStore } from "../../sdk/checkpoint/packed-store.js";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import type { TensorStore } from "../../sdk/checkpoint/tensor-store.js";
import { type TensorToWrite, writeTensors } from "../../sdk/checkpoint/write-safetensors.js";
import { rejects } from "../support/rejects.js";

const test = suite("packed-store");
let folder = "";
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), "moelab-packed-"));
});
test.after.each(() => rmSync(folder, { recursive: true }));

async function stored(tensors: (TensorToWrite & { bytes: Uint8Array })[]): Promise<TensorStore> {
  await writeTensors(join(folder, "model.safetensors"), tensors, tensors);
  return openTensors(folder);
}
const dequantized = async (store: TensorStore, settings = {}) => (await packedStore(store, settings)).store;
const noise = (length: number, seed: number) =>
  Uint8Array.from({ length }, (_, at) => ((at + seed) * 2654435761) >>> 24);
const f32 = (values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

/** 200 x 300: the last blocks are cut in both directions. */
const fp8 = [{ name: "w", dtype: "F8_E4M3" as const, shape: [200, 300],
  bytes: noise(60_000, 1).map((code) => code & 0xbf) }, { name: "w_scale_inv", dtype: "F32" as const, shape: [2, 3],
  bytes: f32([1, 2, 3, 4, 5, 6]) }, { name: "norm", dtype: "F32" as const, shape: [2], bytes: f32([1, 2]) }];

test("block-scaled fp8 is every code times the scale of its block", async () => {
  const store = await stored(fp8);
  const view = await dequantized(store);
  assert.equal([...view.names()].sort(), ["norm", "w"]);
  assert.not.ok(view.has("w_scale_inv"));
  const codes = await store.values("w");
  const values = await view.values("w");
  for (const [row, column, scale] of [[0, 0, 1], [127, 127, 1], [0, 128, 2], [127, 299, 3], [128, 127, 4], [199, 255,
    5], [199, 299, 6]]) {
    assert.ok(codes[row * 300 + column] !== 0);
    assert.is(values[row * 300 + column], Math.fround(codes[row * 300 + column] * scale), `${row}, ${column}`);
  }
  for (const rows of [{ start: 100, end: 130 }, { start: 128, end: 200 }, { start: 199, end: 200 }, { start: 7,
    end: 7 }, { start: 200, end: 200 }]) {
    const part = await view.values("w", rows);
    const differs = values.subarray(rows.start * 300, rows.end * 300).findIndex((value, at) => value !== part[at]);
    assert.equal([part.length, differs], [(rows.end - rows.start) * 300, -1]);
  }
  assert.equal([...(await view.values("norm"))], [1, 2]);
  const codeBytes = await store.bytes("w"), scaleBytes = await store.bytes("w_scale_inv");
  assert.equal([...(await view.bytes("w"))], [...codeBytes, ...scaleBytes]);
  assert.is(view.info("w").sizeBytes, codeBytes.length + scaleBytes.length);
  assert.equal([...(await view.bytes("w", { start: codeBytes.length - 2, end: codeBytes.length + 3 }))], [
    ...codeBytes.subarray(-2),
    ...scaleBytes.subarray(0, 3),
  ]);
  assert.equal([...(await view.bytes("w", { start: codeBytes.length + 1, end: codeBytes.length + 3 }))], [
    ...scaleBytes.subarray(1, 3),
  ]);
  await view.close();
});

test("the block size is the configuration's", async () => {
  const codes = fp8[0];
  const scales = { name: "w_scale_inv", dtype: "F32" as const, shape: [4, 5],
    bytes: f32(Array.from({ length: 20 }, (_, at) => at + 1)) };
  const store = await stored([codes, scales]);
  const view = await dequantized(store, { weight_block_size: [64, 60] });
  const plain = await store.values("w"), values = await view.values("w", { start: 63, end: 200 });
  for (const [row, column, scale] of [[63, 59, 1], [64, 60, 7], [199, 299, 20]])
    assert.is(values[(row - 63) * 300 + column], Math.fround(plain[row * 300 + column] * scale), `${row}, ${column}`);
  assert.match((await rejects(dequantized(store))).message, /w \(fp8 with a scale per block\).*block of 128 x 128/);
  await view.close();
});

test("scales of another shape are refused", async () => {
  const store = await stored([fp8[0], { ...fp8[1], shape: [3, 2] }]);
  assert.match((await rejects(dequantized(store))).message,
    /load: w .*F8_E4M3 \[200,300\] and _scale_inv is F32 \[3,2\]/);
  await store.close();
});

/** 3 experts of 4 outputs and 64 inputs, with a bias beside them. */
const mxfp4 = [{ name: "mlp.gate_up_proj_blocks", dtype: "U8" as const, shape: [3, 4, 2, 16], bytes: noise(384, 3) }, {
  name: "mlp.gate_up_proj_scales",
  dtype: "U8" as const,
  shape: [3, 4, 2],
  bytes: Uint8Array.from({ length: 24 }, (_, at) => 118 + at),
}, { name: "mlp.gate_up_proj_bias", dtype: "F32" as const, shape: [3, 4], bytes: f32(Array(12).fill(0.5)) }];
/** The numbers of the format's specification: sign, exponent with bias 1, one bit of mantissa. */
const numberOf = (code: number) => (code & 8 ? -1 : 1) * [0, 0.5, 1, 1.5, 2, 3, 4, 6][code & 7];

test("MXFP4 experts are read as [E, in, out]", async () => {
  const view = await dequantized(await stored(mxfp4));
  assert.equal([...view.names()].sort(), ["mlp.gate_up_proj", "mlp.gate_up_proj_bias"]);
  assert.equal(view.info("mlp.gate_up_proj"), { dtype: "MXFP4", shape: [3, 64, 4], sizeBytes: 408,
    format: { kind: "mxfp4" } });
  const values = await view.values("mlp.gate_up_proj");
  for (let expert = 0; expert < 3; expert++) {
    for (let input = 0; input < 64; input++) {
      for (let output = 0; output < 4; output++) {
        const group = (expert * 4 + output) * 2 + Math.floor(input / 32);
        const byte = mxfp4[0].bytes[group * 16 + Math.floor((input % 32) / 2)];
        const expected = numberOf(input % 2 ? byte >> 4 : byte & 15) * 2 ** (mxfp4[1].bytes[group] - 127);
        assert.is(values[(expert * 64 + input) * 4 + output] + 0, expected + 0, `${expert}, ${input}, ${output}`);
      }
    }
  }
  assert.equal(await view.values("mlp.gate_up_proj", { start: 1, end: 2 }), values.slice(256, 512));
  await view.close();
});

test("one expert is read by its bytes alone", async () => {
  const store = await stored(mxfp4);
  const ranges: string[] = [];
  const spied: TensorStore = { ...bound(store),
    bytes: (name, range) => (ranges.push(`${name} ${range?.start}-${range?.end}`), store.bytes(name, range)) };
  await (await dequantized(spied)).values("mlp.gate_up_proj", { start: 2, end: 3 });
  assert.equal(ranges, ["mlp.gate_up_proj_blocks 256-384", "mlp.gate_up_proj_scales 16-24"]);
  await store.close();
});

function bound(store: TensorStore): TensorStore {
  return { metadata: store.metadata, names: () => store.names(), has: (name) => store.has(name),
    info: (name) => store.info(name), bytes: (name, range) => store.bytes(name, range),
    values: (name, rows) => store.values(name, rows), close: () => store.close() };
}

test("blocks without their scales are plain tensors, and scales of another shape refused", async () => {
  const view = await dequantized(await stored([mxfp4[0]]));
  assert.equal([...view.names()], ["mlp.gate_up_proj_blocks"]);
  await view.close();
  const store = await stored([mxfp4[0], { ...mxfp4[1], shape: [3, 2, 4] }]);
  assert.match((await rejects(dequantized(store))).message, /mlp.gate_up_proj \(MXFP4\): _scales is U8 \[3,2,4\]/);
  await store.close();
});

test("fp8 with a scale per tensor, row, matrix of a stack, or power of two; integers with a zero", async () => {
  const codes = (name: string, ...shape: number[]) => ({ name, dtype: "F8_E4M3" as const, shape,
    bytes: noise(shape.reduce((a, b) => a * b, 1), 9).map((code) => code & 0xbf) });
  const scale = (name: string, shape: number[], ...values: number[]) => ({ name, dtype: "F32" as const, shape,
    bytes: f32(values) });
  const store = await stored([codes("a.weight", 3, 4), scale("a.weight_scale", [], 2), scale("a.input_scale", [], 9),
    codes("b.weight", 3, 4), scale("b.weight_scale", [3], 1, 2, 4), codes("c.gate_up_proj", 2, 3, 4),
    scale("c.gate_up_proj_scale", [2, 3, 1], 1, 2, 3, 4, 5, 6), codes("d.weight", 2, 4), { name: "d.scale",
    dtype: "F8_E8M0" as const, shape: [2, 2], bytes: Uint8Array.of(127, 128, 129, 130) }, { name: "e.weight",
    dtype: "I8" as const, shape: [2, 2], bytes: Uint8Array.of(1, 2, 255, 4) }, scale("e.weight_scale", [2, 1], 2, 0.5),
    { name: "e.weight_zero_point", dtype: "I8" as const, shape: [2, 1], bytes: Uint8Array.of(1, 2) },
    scale("l.self_attn.k_scale", [1], 1)]);
  const { store: view, notes } = await packedStore(store, { weight_block_size: [1, 2] });
  assert.equal([...view.names()].sort(), ["a.weight", "b.weight", "c.gate_up_proj", "d.weight", "e.weight"]);
  assert.match(notes.join(), /load: 2 tensors about the quantisation of activations/);
  const times = async (name: string, of: (at: number) => number) => {
    const plain = await store.values(name), width = view.info(name).shape.slice(1).reduce((a, b) => a * b, 1);
    assert.equal(await view.values(name), plain.map((value, at) => value * of(at)), name);
    assert.equal(await view.values(name, { start: 1, end: 2 }),
      plain.map((value, at) => value * of(at)).slice(width, 2 * width), `${name} row`);
  };
  await times("a.weight", () => 2);
  await times("b.weight", (at) => 2 ** Math.floor(at / 4));
  await times("c.gate_up_proj", (at) => 1 + Math.floor(at / 4));
  await times("d.weight", (at) => 2 ** Math.floor(at / 2));
  assert.equal([...await view.values("e.weight")], [0, 2, -1.5, 1]);
  assert.equal(view.info("e.weight").format, { kind: "grouped", bits: 8, group: 0, zero: "integer", scales: "F32" });
  await view.close();
});

test.run();
