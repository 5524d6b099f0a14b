import { decode } from "../../tensor/formats/decode.js";
import { requireScales } from "../../tensor/formats/matrix-shape.js";
import type { GroupedFormat } from "../../tensor/formats/number-format.js";
import { ofGroups } from "./grouped-weight.js";
import { bad, FLOATS, type Layout, requireShape } from "./layout.js";
import { turned, words } from "./words.js";

/** the output that each half byte of a word is of, from the lowest */
const ORDER = [0, 2, 4, 6, 1, 3, 5, 7];

/**
 * AutoAWQ's `gemm`: `qweight` [in, out / 8] and `qzeros` [groups, out / 8] hold eight outputs a word in an order of
 * their own, `scales` [groups, out]; the zero is stored as it is.
 */
export const awq: Layout = {
  name: "AWQ",
  key: ".qweight",
  weight: ".weight",
  parts: [".qweight", ".qzeros", ".scales"],
  accepts: (tensors) => tensors[".qweight"].shape[1] * 8 === tensors[".scales"].shape[1],
  describe(tensors, settings) {
    const [groups, outputs] = tensors[".scales"].shape, [inputs] = tensors[".qweight"].shape;
    const version = String(settings.version ?? "gemm").toLowerCase();
    if (version !== "gemm") throw bad(`version is "${version}"`, "gemm");
    requireShape(tensors, ".scales", FLOATS, [-1, -1]);
    requireShape(tensors, ".qweight", ["I32"], [-1, outputs / 8]);
    requireShape(tensors, ".qzeros", ["I32"], [groups, outputs / 8]);
    if (inputs % groups !== 0)
      throw bad(`${inputs} inputs in ${groups} groups`, "a number of groups that divides them");
    const scales = tensors[".scales"].dtype as GroupedFormat["scales"];
    const format: GroupedFormat = { kind: "grouped", bits: 4, group: groups === 1 ? 0 : inputs / groups,
      zero: "integer", scales };
    return {
      shape: [outputs, inputs],
      format,
      ...ofGroups([outputs, inputs], format, (bytes) => {
        const factors = decode(bytes[".scales"], scales);
        requireScales(factors);
        const codes = (part: string) => turned(outputCodes(words(bytes[part])), outputs);
        return { codes: codes(".qweight"), scales: turned(factors, outputs),
          zeros: Float32Array.from(codes(".qzeros")) };
      }),
    };
  },
};

function outputCodes(packed: Int32Array): Uint8Array {
  const codes = new Uint8Array(8 * packed.length);
  packed.forEach((word, at) => ORDER.forEach((output, half) => codes[8 * at + output] = (word >>> (4 * half)) & 15));
  return codes;
}
