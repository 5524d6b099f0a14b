import { decode } from "../../tensor/formats/decode.js";
import { requireScales } from "../../tensor/formats/matrix-shape.js";
import type { GroupedFormat } from "../../tensor/formats/number-format.js";
import { ofGroups } from "./grouped-weight.js";
import { bad, FLOATS, type Layout, requireShape } from "./layout.js";
import { words } from "./words.js";

/**
 * HQQ with its groups along a row (axis 1): `W_q` holds groups as rows, a part of them in each few bits of a byte (of a
 * 32-bit word for 3 bits), the first part in the highest; w = (code - zero) * scale, the zero a fraction.
 */
export const hqq: Layout = {
  name: "HQQ",
  key: ".W_q",
  weight: ".weight",
  parts: [".W_q", ".scale", ".zero", ".shape", ".nbits", ".group_size", ".axis"],
  beside: [".channel_wise", ".compute_dtype", ".encoded_state_dict", ".offload_meta", ".optimize", ".packing",
    ".quant_scale", ".quant_zero", ".round_zero", ".stores_quant_config", ".unpack_view_dtype", ".view_as_float"],
  async describe(tensors, _, read) {
    const number = async (part: string) => decode(await read(part), tensors[part].dtype);
    for (const part of [".nbits", ".group_size", ".axis"]) requireShape(tensors, part, ["I32", "I64"], [], [1]);
    requireShape(tensors, ".shape", ["I32", "I64"], [2]);
    const [[bits], [group], [axis], [rows, columns]] = [await number(".nbits"), await number(".group_size"),
      await number(".axis"), await number(".shape")];
    if (axis !== 1) throw bad(`.axis is ${axis}`, "1, groups along a row");
    const wide = bits === 3, parts = wide ? 10 : 8 / bits;
    if (![1, 2, 3, 4, 8].includes(bits) || !(group >= 1) || !(rows >= 1) || columns % group !== 0)
      throw bad(`${bits} bits in groups of ${group} of [${rows}, ${columns}]`,
        "1, 2, 3, 4 or 8, groups that divide a row");
    const groups = rows * columns / group;
    requireShape(tensors, ".W_q", wide ? ["I32"] : ["U8"], [Math.ceil(groups / parts), group]);
    const { dtype } = tensors[".scale"];
    requireShape(tensors, ".scale", FLOATS, [groups, 1]);
    requireShape(tensors, ".zero", [dtype], [groups, 1]);
    const format: GroupedFormat = { kind: "grouped", bits: bits as 4, group, zero: "real",
      scales: dtype as GroupedFormat["scales"] };
    return {
      shape: [rows, columns],
      format,
      ...ofGroups([rows, columns], format, (bytes) => {
        const packed = wide ? words(bytes[".W_q"]) : bytes[".W_q"];
        const codes = new Uint8Array(parts * packed.length), mask = 2 ** bits - 1;
        for (let part = 0; part < parts; part++) {
          const shift = bits * (parts - 1 - part), from = part * packed.length;
          for (let at = 0; at < packed.length; at++) codes[from + at] = (packed[at] >>> shift) & mask;
        }
        const [scales, zeros] = [".scale", ".zero"].map((part) => decode(bytes[part], dtype));
        requireScales(scales);
        requireScales(zeros, "zero");
        return { codes, scales, zeros };
      }),
    };
  },
};
