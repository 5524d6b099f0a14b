import { unpackBits } from "../../tensor/formats/bits.js";
import { decode } from "../../tensor/formats/decode.js";
import { requireOrder } from "../../tensor/formats/grouped.js";
import { requireScales } from "../../tensor/formats/matrix-shape.js";
import type { GroupedFormat } from "../../tensor/formats/number-format.js";
import { ofGroups } from "./grouped-weight.js";
import { bad, FLOATS, type Layout, requireShape, type Settings } from "./layout.js";
import { turned, words } from "./words.js";

/** Widths that the groups of compressed-tensors' configuration name; a module has one of them. */
function widths({ config_groups: groups }: Settings): number[] {
  const all = Object.values((groups ?? {}) as Record<string, { weights?: { num_bits?: unknown } } | null>);
  return [...new Set(all.map((group) => Number(group?.weights?.num_bits)))];
}

/**
 * Bits that each number takes in a word, for a row of so many words: as one run, or, before compressed-tensors 0.12,
 * as many whole numbers as a word has room for.
 */
function packing(columns: number, length: number, bits: number): number | undefined {
  if (length === Math.ceil(columns * bits / 32)) return bits;
  return length === Math.ceil(columns / Math.floor(32 / bits)) ? 32 : undefined;
}

function codesOf(bytes: Uint8Array, columns: number, bits: number, packed: number): Uint8Array {
  const width = packed === 32 ? 4 * Math.ceil(columns / Math.floor(32 / bits)) : 4 * Math.ceil(columns * bits / 32);
  const rows = bytes.length / width, codes = new Uint8Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const own = bytes.subarray(row * width, (row + 1) * width);
    if (packed === 32) {
      const each = Math.floor(32 / bits), run = words(own);
      for (let at = 0; at < columns; at++)
        codes[row * columns + at] = (run[Math.floor(at / each)] >>> (bits * (at % each))) & ((1 << bits) - 1);
    } else codes.set(unpackBits(own.subarray(0, Math.ceil(columns * bits / 8)), bits, columns), row * columns);
  }
  return codes;
}

/**
 * compressed-tensors' `pack-quantized`: `weight_packed` [out, in bits / 32], codes plus 2^(bits-1), `weight_scale`
 * [out, groups], `weight_shape` [2]; `weight_zero_point` [out bits / 32, groups] is packed along the outputs.
 */
export const packQuantized: Layout = {
  name: "pack-quantized of compressed-tensors",
  key: ".weight_packed",
  weight: ".weight",
  parts: [".weight_packed", ".weight_scale", ".weight_shape"],
  optional: [".weight_zero_point", ".weight_g_idx"],
  beside: [".input_scale", ".input_zero_point", ".output_scale"],
  accepts: (tensors) => tensors[".weight_packed"].dtype === "I32",
  async describe(tensors, settings, read) {
    requireShape(tensors, ".weight_packed", ["I32"], [-1, -1]);
    requireShape(tensors, ".weight_shape", ["I64", "I32"], [2]);
    const [outputs, length] = tensors[".weight_packed"].shape;
    const [rows, inputs] = decode(await read(".weight_shape"), tensors[".weight_shape"].dtype);
    requireShape(tensors, ".weight_scale", FLOATS, [outputs, -1]);
    const groups = tensors[".weight_scale"].shape[1];
    const bits = [...widths(settings), 4, 8, 2, 3, 5, 6, 7, 1].find((bits) =>
      bits >= 1 && bits <= 8 && packing(inputs, length, bits) !== undefined
    );
    if (rows !== outputs || !(inputs >= 1) || bits === undefined)
      throw bad(`.weight_shape is [${rows}, ${inputs}] for .weight_packed [${outputs}, ${length}]`,
        `[${outputs}, inputs] of 1 to 8 bits`);
    let order: Int32Array | undefined;
    if (tensors[".weight_g_idx"]) {
      requireShape(tensors, ".weight_g_idx", ["I32"], [inputs]);
      order = Int32Array.from(words(await read(".weight_g_idx")));
      if (order.every((group) => group === -1)) order = undefined; // as it was made, never set
      else requireOrder(order, groups);
    }
    if (groups < 1 || inputs % groups !== 0)
      throw bad(`${inputs} inputs in ${groups} groups`, "a number of groups that divides them");
    const isZero = tensors[".weight_zero_point"] !== undefined;
    const along = Math.ceil(outputs * bits / 32), apart = Math.ceil(outputs / Math.floor(32 / bits));
    if (isZero) requireShape(tensors, ".weight_zero_point", ["I32"], [along, groups], [apart, groups]);
    const scales = tensors[".weight_scale"].dtype as GroupedFormat["scales"];
    const format: GroupedFormat = { kind: "grouped", bits: bits as 4, group: groups === 1 ? 0 : inputs / groups,
      zero: isZero ? "integer" : "none", scales, ...(order && { order: true }) };
    const packed = packing(inputs, length, bits)!;
    return {
      shape: [outputs, inputs],
      format,
      ...(!isZero && { byRows: { unit: 1, parts: [".weight_packed", ".weight_scale"] } }),
      ...ofGroups([outputs, inputs], format, (bytes) => {
        const factors = decode(bytes[".weight_scale"], scales);
        requireScales(factors);
        // zeros lie [words, groups]: one run of bits a group
        const zeros = isZero
          && codesOf(bytesOf(turned(words(bytes[".weight_zero_point"]), groups)), outputs, bits,
            packing(outputs, tensors[".weight_zero_point"].shape[0], bits)!);
        return { codes: codesOf(bytes[".weight_packed"], inputs, bits, packed), scales: factors,
          ...(zeros && { zeros: Float32Array.from(turned(zeros, outputs)) }), ...(order && { order }) };
      }),
    };
  },
};

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
