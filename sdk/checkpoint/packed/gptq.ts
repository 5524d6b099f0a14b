import { unpackBits } from "../../tensor/formats/bits.js";
import { decode } from "../../tensor/formats/decode.js";
import type { Dtype } from "../../tensor/formats/dtype.js";
import { requireOrder } from "../../tensor/formats/grouped.js";
import { requireScales } from "../../tensor/formats/matrix-shape.js";
import type { GroupedFormat } from "../../tensor/formats/number-format.js";
import { ofGroups } from "./grouped-weight.js";
import { bad, FLOATS, type Layout, requireShape, type Settings } from "./layout.js";
import { turned, words } from "./words.js";

/** GPTQ v1 stores a zero less one, v2 the zero itself. */
function isSecond(settings: Settings): boolean {
  const written = settings.checkpoint_format ?? settings.format ?? "gptq";
  if (written === "gptq" || written === "gptq_v2") return written === "gptq_v2";
  throw bad(`checkpoint_format is ${JSON.stringify(written)}`, "gptq or gptq_v2");
}

/**
 * AutoGPTQ, GPTQModel: `qweight` [in bits / 32, out] is a run of bits along the inputs of each output, `qzeros`
 * [groups, out bits / 32] one along the outputs, `scales` [groups, out], `g_idx` [in] the group of each input.
 */
export const gptq: Layout = {
  name: "GPTQ",
  key: ".qweight",
  weight: ".weight",
  parts: [".qweight", ".qzeros", ".scales"],
  optional: [".g_idx"],
  accepts: (tensors) => tensors[".qweight"].shape[1] === tensors[".scales"].shape[1],
  async describe(tensors, settings, read) {
    const [groups, outputs] = tensors[".scales"].shape;
    requireShape(tensors, ".scales", FLOATS, [-1, -1]);
    requireShape(tensors, ".qzeros", ["I32"], [groups, -1]);
    requireShape(tensors, ".qweight", ["I32"], [-1, outputs]);
    const bits = tensors[".qzeros"].shape[1] * 32 / outputs, inputs = tensors[".qweight"].shape[0] * 32 / bits;
    if (!Number.isInteger(bits) || bits < 2 || bits > 8 || !Number.isInteger(inputs))
      throw bad(`.qzeros [${tensors[".qzeros"].shape}] of ${outputs} outputs, .qweight [${tensors[".qweight"].shape}]`,
        "2 to 8 bits a number");
    const second = isSecond(settings), scales = tensors[".scales"].dtype as GroupedFormat["scales"];
    let order: Int32Array | undefined;
    if (tensors[".g_idx"]) {
      requireShape(tensors, ".g_idx", ["I32"], [inputs]);
      order = Int32Array.from(words(await read(".g_idx")));
      requireOrder(order, groups);
    }
    const divides = inputs % groups === 0, width = inputs / groups;
    if (divides && order?.every((group, input) => group === Math.floor(input / width))) order = undefined;
    const asked = Number(settings.group_size), group = divides ? width : asked;
    if (!divides && !(order && Math.ceil(inputs / asked) === groups))
      throw bad(`${inputs} inputs in ${groups} groups`, "a number of groups that divides them, or .g_idx");
    const format: GroupedFormat = { kind: "grouped", bits: bits as 4, group: groups === 1 ? 0 : group, zero: "integer",
      scales, ...(order && { order: true }) };
    // whole words are added to, as the packer subtracted: a borrow of one place is given back by the next
    const one = 32 % bits === 0 ? Math.floor((2 ** 32 - 1) / (2 ** bits - 1)) : 0;
    return {
      shape: [outputs, inputs],
      format,
      ...ofGroups([outputs, inputs], format, (bytes) => {
        const zeros = words(bytes[".qzeros"]).slice();
        if (!second) { for (let at = 0; at < zeros.length; at++) zeros[at] += one; }
        const unpacked = unpackBits(new Uint8Array(zeros.buffer), bits, outputs);
        if (!second && !one) unpacked.forEach((code, at) => unpacked[at] = (code + 1) & (2 ** bits - 1));
        const factors = decode(bytes[".scales"], scales as Dtype);
        requireScales(factors);
        return { codes: columnCodes(words(bytes[".qweight"]), outputs, inputs, bits), scales: turned(factors, outputs),
          zeros: Float32Array.from(turned(unpacked, outputs)), ...(order && { order }) };
      }),
    };
  },
};

/** [words, outputs], each output a run of bits down its column -> a code a number, [outputs, inputs] */
function columnCodes(packed: Int32Array, outputs: number, inputs: number, bits: number): Uint8Array {
  const codes = new Uint8Array(outputs * inputs), mask = (1 << bits) - 1;
  for (let input = 0; input < inputs; input++) {
    const low = ((input * bits) >>> 5) * outputs, shift = (input * bits) & 31;
    const split = shift + bits > 32;
    for (let output = 0, to = input; output < outputs; output++, to += inputs) {
      let code = packed[low + output] >>> shift;
      if (split) code |= packed[low + outputs + output] << (32 - shift);
      codes[to] = code & mask;
    }
  }
  return codes;
}
