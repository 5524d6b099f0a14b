import { packBits } from "../../tensor/formats/bits.js";
import { encode } from "../../tensor/formats/encode.js";
import { groupsOf, unpackGrouped } from "../../tensor/formats/grouped.js";
import type { GroupedFormat, NumberFormat } from "../../tensor/formats/number-format.js";
import { turned } from "../packed/words.js";
import { moduleOf, type Packer } from "./packer.js";

const isHeld = (format: NumberFormat): format is GroupedFormat =>
  format.kind === "grouped" && [2, 3, 4, 8].includes(format.bits) && format.zero !== "real" && format.scales === "F16"
  && !format.inputs;

/**
 * GPTQ as AutoGPTQ, GPTQModel and vLLM read it. Zeros are stored as they are (`gptq_v2`), since one of 0 has no place
 * in version 1, unless all weights are symmetric.
 */
export const gptq: Packer = {
  weight: ".weight",
  holds: "grouped integers of 2, 3, 4 or 8 bits with F16 scales and an integer zero or none, rows and columns of whole "
    + "32-bit words",
  tensors(format, shape) {
    if (!isHeld(format) || shape.length !== 2) return undefined;
    const [out, input] = shape, { bits } = format, groups = groupsOf(format, input);
    if (input * bits % 32 || out * bits % 32) return undefined;
    return { ".qweight": { dtype: "I32", shape: [input * bits / 32, out] },
      ".qzeros": { dtype: "I32", shape: [groups, out * bits / 32] }, ".scales": { dtype: "F16", shape: [groups, out] },
      ".g_idx": { dtype: "I32", shape: [input] } };
  },
  bytes(parts, asked, shape) {
    const format = asked as GroupedFormat, [out, input] = shape, { bits, group } = format;
    const groups = groupsOf(format, input), { codes, scales, zeros, order } = unpackGrouped(parts, shape, format);
    // of symmetric weights version 1 stores the middle less one
    const stored = zeros
      ? turned(Uint8Array.from(zeros), groups)
      : new Uint8Array(groups * out).fill(2 ** (bits - 1) - 1);
    return {
      ".qweight": columnWords(codes, out, input, bits),
      ".qzeros": packBits(stored, bits, out),
      ".scales": encode(turned(scales, groups), "F16"),
      ".g_idx": new Uint8Array(
        (order ?? Int32Array.from({ length: input }, (_, at) => group && Math.floor(at / group))).slice().buffer,
      ),
    };
  },
  config(_, packed, plain) {
    const formats = packed.map(({ format }) => format as GroupedFormat);
    const settings = ({ bits, group }: GroupedFormat) => ({ bits, group_size: group || -1 });
    const key = (format: GroupedFormat) => JSON.stringify(settings(format));
    const count = (format: GroupedFormat) => formats.filter((other) => key(other) === key(format)).length;
    const kinds = [...new Map(formats.map((format) => [key(format), format])).values()];
    const common = kinds.reduce((most, each) => (count(each) > count(most) ? each : most));
    const exactly = (name: string) => `^${moduleOf(name).replace(/\./g, "\\.")}$`;
    const dynamic = {
      ...Object.fromEntries(
        packed.filter(({ format }) => key(format as GroupedFormat) !== key(common)).map(
          ({ name, format }) => [`+:${exactly(name)}`, settings(format as GroupedFormat)]
        ),
      ),
      ...Object.fromEntries(plain.filter((name) => /\.\d+\./.test(name)).map((name) => [`-:${exactly(name)}`, {}])),
    };
    const sym = formats.every(({ zero }) => zero === "none"), written = sym ? "gptq" : "gptq_v2";
    return {
      quantization_config: { quant_method: "gptq", ...settings(common), sym,
        desc_act: formats.some(({ order }) => order), lm_head: false, checkpoint_format: written, format: written,
        pack_dtype: "int32", ...(Object.keys(dynamic).length && { dynamic }) },
    };
  },
};

/** codes [out, in] -> words [in bits / 32, out], each output a run of bits down its column */
function columnWords(codes: Uint8Array, out: number, input: number, bits: number): Uint8Array {
  const runs = packBits(codes, bits, input), length = input * bits / 32;
  const rows = new Int32Array(runs.buffer, 0, out * length), columns = turned(rows, length);
  return new Uint8Array(columns.buffer, columns.byteOffset, columns.byteLength);
}
