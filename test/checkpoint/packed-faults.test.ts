import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packedStore } from "../../sdk/checkpoint/packed-store.js";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { writeTensors } from "../../sdk/checkpoint/write-safetensors.js";
import type { Dtype } from "../../sdk/tensor/formats/dtype.js";
import { encode } from "../../sdk/tensor/formats/index.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("packed-faults");
const MODULE = "model.layers.0.block_sparse_moe.experts.0.w2"; // 64 outputs, 96 inputs

interface Tensor {
  name: string;
  dtype: Dtype;
  shape: number[];
  bytes: Uint8Array;
}

/** The message of reading one expert's matrix of a fixture whose tensors were changed. */
async function fault(
  name: string,
  change: (tensor: Tensor, part: string) => Partial<Tensor> | undefined,
  settings: object = {},
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "moelab-packed-"));
  const { quantization_config } = JSON.parse(readFileSync(fixture(`quantised/${name}/config.json`), "utf8"));
  const whole = await openTensors(fixture(`quantised/${name}`));
  try {
    const tensors: Tensor[] = [];
    for (const tensor of whole.names()) {
      if (!tensor.startsWith(`${MODULE}.`)) continue;
      const { dtype, shape } = whole.info(tensor),
        held = { name: tensor, dtype, shape, bytes: await whole.bytes(tensor) };
      const changed = change(held, tensor.slice(MODULE.length));
      if (changed) tensors.push({ ...held, ...changed });
    }
    await writeTensors(join(folder, "model.safetensors"), tensors, tensors);
    const files = await openTensors(folder);
    const error = await rejects((async () => {
      const { store } = await packedStore(files, { ...quantization_config, ...settings });
      await store.values(`${MODULE}.weight`);
    })().finally(() => files.close()));
    return error.message;
  } finally {
    await whole.close();
    rmSync(folder, { recursive: true });
  }
}

/** Another value of one element. */
const set = (tensor: Tensor, at: number, value: number) => {
  const one = encode(Float32Array.of(value), tensor.dtype), bytes = tensor.bytes.slice();
  bytes.set(one, at * one.length);
  return { bytes };
};
const only =
  (part: string, change: (tensor: Tensor) => Partial<Tensor> | undefined) => (tensor: Tensor, seen: string) =>
    seen === part ? change(tensor) : {};
const cut = ({ bytes, shape }: Tensor): Partial<Tensor> => ({ shape: [shape[0] - 1, ...shape.slice(1)],
  bytes: bytes.subarray(0, bytes.length / shape[0] * (shape[0] - 1)) });

const cases: [fixture: string, what: string, change: Parameters<typeof fault>[1], message: RegExp,
  settings?: object][] = [["gptq-v1-4bit-act-order", "a group that is not there", only(".g_idx", (t) => set(t, 7, 3)),
    /input 7 is of group 3; accepted is 0 to 2/], ["gptq-v1-4bit-act-order", "a group below 0",
    only(".g_idx", (t) => set(t, 7, -1)), /input 7 is of group -1/], ["gptq-v1-4bit", "scales cut short",
    only(".scales", cut), /\.qzeros is I32 \[3,8\]; accepted is I32 \[2,any\]/], ["gptq-v1-4bit", "codes cut short",
    only(".qweight", cut), /\.g_idx is I32 \[96\]; accepted is I32 \[88\]/], ["gptq-v1-4bit", "no scales",
    only(".scales", () => undefined), /without \.scales; accepted are the tensors of GPTQ/], ["gptq-v1-4bit",
    "a scale that is no number", only(".scales", (t) => set(t, 5, NaN)), /scale 5 is NaN; accepted is finite/], [
    "gptq-v1-4bit",
    "a scale of 0",
    only(".scales", (t) => set(t, 5, 0)),
    /the scale of row 5, group 0 is 0 and its codes are not/,
  ], ["gptq-v1-4bit", "a writer that nobody knows", () => ({}), /checkpoint_format is "marlin"/, {
    checkpoint_format: "marlin",
  }], ["awq-gemm", "another version", () => ({}), /version is "gemv"; accepted is gemm/, { version: "GEMV" }], [
    "awq-gemm",
    "groups that do not divide",
    (t, part) => part === ".qweight" ? cut(t) : {},
    /95 inputs in 3 groups/,
  ], ["ct-w4a16-sym", "another shape", only(".weight_shape", (t) => set(t, 1, 9600)), /weight_shape is \[64, 9600\]/], [
    "ct-w4a16-sym",
    "groups that do not divide",
    only(".weight_scale", (t) => ({ shape: [64, 5], bytes: new Uint8Array(640) })),
    /96 inputs in 5 groups/,
  ], ["ct-w4a16-asym", "zeros cut short", only(".weight_zero_point", cut),
    /weight_zero_point is I32 \[7,3\]; accepted is I32 \[8,3\]/], ["ct-fp8-channel", "a scale that is infinite",
    only(".weight_scale", (t) => set(t, 3, Infinity)), /scale 3 is Infinity/], ["ct-fp8-channel",
    "scales of another shape", only(".weight_scale", cut), /_scale is F16 \[63,1\]/], ["ct-nvfp4a16",
    "a global scale of 0", only(".weight_global_scale", (t) => set(t, 0, 0)), /global scale is 0/], ["ct-sparse-24",
    "a mask of three", only(".bitmask", (t) => ({ bytes: t.bytes.slice().fill(7, 0, 1) })),
    /mask of row 0 marks 3 of 4/], ["ct-sparse-24", "numbers cut short", only(".compressed", cut),
    /compressed is F16 \[63,48\]/], ["bnb-nf4", "a state that is no JSON",
    only(".weight.quant_state.bitsandbytes__nf4", (t) => ({ bytes: t.bytes.slice().fill(0) })),
    /quantisation state does not say/], ["bnb-nf4", "too few scales", only(".weight.absmax", cut),
    /absmax is F32 \[95\]; accepted is F32 or U8 \[96\]/], ["bnb-nf4-double", "scales of scales that are gone",
    only(".weight.nested_absmax", () => undefined), /absmax is U8 without what it stands for/], ["bnb-int8",
    "rows in another order", only(".weight_format", () => ({ bytes: Uint8Array.of(1) })), /weight_format is 1/], [
    "hqq-4bit-axis1",
    "groups down a column",
    only(".axis", (t) => set(t, 0, 0)),
    /\.axis is 0; accepted is 1/,
  ], ["hqq-4bit-axis1", "a zero that is no number", only(".zero", (t) => set(t, 2, NaN)), /zero 2 is NaN/]];

for (const [name, what, change, message, settings] of cases) {
  test(`${name}: ${what} is one error that names the weight`, async () => {
    const said = await fault(name, change, settings);
    assert.match(said, message);
    assert.match(said, new RegExp(`^load: ${MODULE}\\.(weight|qweight) `));
    assert.ok(said.length < 600, said);
  });
}

test("a file that is cut short says so before anything is read", async () => {
  const folder = mkdtempSync(join(tmpdir(), "moelab-packed-"));
  const bytes = readFileSync(fixture("quantised/gptq-v1-4bit/model.safetensors"));
  writeFileSync(join(folder, "model.safetensors"), bytes.subarray(0, bytes.length - 100));
  assert.match((await rejects(openTensors(folder))).message, /the file is cut short/);
  rmSync(folder, { recursive: true });
});

test.run();
