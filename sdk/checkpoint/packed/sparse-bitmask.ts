import { decode } from "../../tensor/formats/decode.js";
import type { SparseFormat } from "../../tensor/formats/number-format.js";
import { sparse } from "../../tensor/formats/sparse.js";
import { bad, FLOATS, type Layout, requireShape } from "./layout.js";

/**
 * compressed-tensors' `sparse-24-bitmask` and `sparse-bitmask`: `bitmask` [out, in / 8], lowest bit first, marks the
 * numbers of `compressed` [out, in / 2], or of a run of any length.
 */
export const sparseBitmask: Layout = {
  name: "sparse-bitmask of compressed-tensors",
  key: ".compressed",
  weight: ".weight",
  parts: [".compressed", ".bitmask", ".shape"],
  optional: [".row_offsets"],
  async describe(tensors, _, read) {
    requireShape(tensors, ".shape", ["I64", "I32"], [2], [2, 1]);
    const [rows, inputs] = decode(await read(".shape"), tensors[".shape"].dtype);
    if (!(rows >= 1 && inputs >= 1 && rows * inputs < 2 ** 40)) throw bad(`.shape is [${rows}, ${inputs}]`, "a matrix");
    requireShape(tensors, ".bitmask", ["U8"], [rows, Math.ceil(inputs / 8)]);
    requireShape(tensors, ".compressed", FLOATS, [rows, inputs / 2], [-1]);
    const { shape: stored, dtype } = tensors[".compressed"];
    const halves = stored.length === 2;
    const format: SparseFormat = { kind: "sparse", values: dtype as SparseFormat["values"],
      ...(halves ? { of: [2, 4] as const } : { count: stored[0] }) };
    return { shape: [rows, inputs], format, ...(halves && { byRows: { unit: 1, parts: [".compressed", ".bitmask"] } }),
      parts: (bytes) => ({ mask: bytes[".bitmask"], values: bytes[".compressed"] }),
      values: (bytes, shape) =>
        sparse.decode({ mask: bytes[".bitmask"], values: bytes[".compressed"] }, shape, format) };
  },
};
