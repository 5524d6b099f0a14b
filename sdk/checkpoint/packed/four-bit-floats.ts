import { unpackBits } from "../../tensor/formats/bits.js";
import { decode } from "../../tensor/formats/decode.js";
import { requireScales } from "../../tensor/formats/matrix-shape.js";
import { decodeMxfp4 } from "../../tensor/formats/mxfp4.js";
import type { Parts } from "../../tensor/formats/number-format.js";
import { nvfp4Values } from "../../tensor/formats/nvfp4.js";
import { bad, type Layout, type PackedWeight, requireShape } from "./layout.js";

/** @param global the number that the scales are divided by */
function nvfp4Weight(
  [rows, half]: readonly number[],
  endings: { codes: string; scales: string },
  global: (bytes: Parts<Uint8Array>) => number,
): PackedWeight {
  return {
    shape: [rows, 2 * half],
    format: { kind: "nvfp4" },
    byRows: { unit: 1, parts: [endings.codes, endings.scales] },
    values(bytes, shape) {
      const scales = decode(bytes[endings.scales], "F8_E4M3"), over = global(bytes);
      requireScales(scales);
      if (!Number.isFinite(1 / over) || !Number.isFinite(over))
        throw bad(`the global scale is ${over}`, "a finite one");
      return nvfp4Values(unpackBits(bytes[endings.codes], 4, shape[0] * shape[1]), scales, over);
    },
  };
}

/** compressed-tensors' NVFP4: E2M1 codes, an F8_E4M3 scale for 16 of them, divided by `weight_global_scale`. */
export const nvfp4Packed: Layout = {
  name: "nvfp4-pack-quantized of compressed-tensors",
  key: ".weight_packed",
  weight: ".weight",
  parts: [".weight_packed", ".weight_scale", ".weight_global_scale"],
  beside: [".input_global_scale", ".input_scale"],
  accepts: (tensors) => tensors[".weight_packed"].dtype === "U8",
  describe(tensors) {
    requireShape(tensors, ".weight_packed", ["U8"], [-1, -1]);
    const { shape } = tensors[".weight_packed"];
    requireShape(tensors, ".weight_scale", ["F8_E4M3"], [shape[0], shape[1] / 8]);
    requireShape(tensors, ".weight_global_scale", ["F32"], [1], []);
    return nvfp4Weight(shape, { codes: ".weight_packed", scales: ".weight_scale" },
      (bytes) => decode(bytes[".weight_global_scale"], "F32")[0]);
  },
};

/** NVIDIA ModelOpt's NVFP4: the same, times `weight_scale_2`. */
export const modelOptNvfp4: Layout = {
  name: "NVFP4 of ModelOpt",
  key: ".weight_scale_2",
  weight: ".weight",
  parts: [".weight", ".weight_scale", ".weight_scale_2"],
  beside: [".input_scale"],
  describe(tensors) {
    requireShape(tensors, ".weight", ["U8"], [-1, -1]);
    const { shape } = tensors[".weight"];
    requireShape(tensors, ".weight_scale", ["F8_E4M3"], [shape[0], shape[1] / 8]);
    requireShape(tensors, ".weight_scale_2", ["F32"], [1], []);
    return nvfp4Weight(shape, { codes: ".weight", scales: ".weight_scale" },
      (bytes) => 1 / decode(bytes[".weight_scale_2"], "F32")[0]);
  },
};

/** compressed-tensors' MXFP4: E2M1 codes, a power of two for 32 of them. */
export const mxfp4Packed: Layout = {
  name: "mxfp4-pack-quantized of compressed-tensors",
  key: ".weight_packed",
  weight: ".weight",
  parts: [".weight_packed", ".weight_scale"],
  beside: [".input_scale"],
  accepts: (tensors) => tensors[".weight_packed"].dtype === "U8",
  describe(tensors) {
    requireShape(tensors, ".weight_packed", ["U8"], [-1, -1]);
    const [rows, half] = tensors[".weight_packed"].shape;
    requireShape(tensors, ".weight_scale", ["U8", "F8_E8M0"], [rows, half / 16]);
    return { shape: [rows, 2 * half], format: { kind: "mxfp4" },
      byRows: { unit: 1, parts: [".weight_packed", ".weight_scale"] },
      values: (bytes) => decodeMxfp4(bytes[".weight_packed"], bytes[".weight_scale"]) };
  },
};

/**
 * gpt-oss: `X_blocks` [E, out, in/32, 16] and `X_scales` [E, out, in/32] are `X` [E, in, out], the layout of its
 * bfloat16 form.
 */
export const mxfp4Blocks: Layout = {
  name: "MXFP4",
  key: "_blocks",
  weight: "",
  parts: ["_blocks", "_scales"],
  describe(tensors) {
    const [experts, outputs, groups] = tensors._blocks.shape;
    requireShape(tensors, "_blocks", ["U8"], [-1, -1, -1, 16]);
    requireShape(tensors, "_scales", ["U8"], [experts, outputs, groups]);
    return {
      shape: [experts, groups * 32, outputs],
      format: { kind: "mxfp4" },
      byRows: { unit: 1, parts: ["_blocks", "_scales"] },
      values(bytes, [count, inputs]) {
        const stored = decodeMxfp4(bytes._blocks, bytes._scales), turned = new Float32Array(stored.length);
        for (let expert = 0; expert < count; expert++) {
          const base = expert * inputs * outputs;
          for (let o = 0; o < outputs; o++)
            for (let i = 0; i < inputs; i++) turned[base + i * outputs + o] = stored[base + o * inputs + i];
        }
        return turned;
      },
    };
  },
};
