import { packBits, unpackBits } from "./bits.js";
import { decode } from "./decode.js";
import { encode } from "./encode.js";
import { badFormat, matrixRows, matrixShape, requireBytes, requireFinite, requireScales } from "./matrix-shape.js";
import { e2m1, nearestE2m1 } from "./mxfp4.js";
import type { Codec } from "./number-format.js";

const BLOCK = 16;

/** E2M1 code times the block's scale, over one number for all. */
export function nvfp4Values(codes: Uint8Array, scales: Float32Array, global: number): Float32Array {
  const values = new Float32Array(codes.length);
  for (let at = 0; at < codes.length; at++) values[at] = e2m1[codes[at]] * scales[at >> 4] / global;
  return values;
}

/**
 * NVIDIA's four-bit floats: blocks of 16 with an F8_E4M3 scale; one F32 brings the scales into that dtype's range, the
 * largest to 448.
 */
export const nvfp4: Codec<{ kind: "nvfp4" }> = {
  parts(_, shape) {
    const [rows, columns] = matrixShape(shape);
    if (columns % BLOCK !== 0) throw badFormat(`NVFP4 of ${columns} inputs`, "a multiple of 16");
    return { codes: { dtype: "U8", shape: [rows, columns / 2] },
      scales: { dtype: "F8_E4M3", shape: [rows, columns / BLOCK] }, global: { dtype: "F32", shape: [1] } };
  },
  encode(values, shape, format) {
    nvfp4.parts(format, shape);
    requireFinite(values);
    const largest = new Float32Array(values.length / BLOCK);
    values.forEach((value, at) => largest[at >> 4] = Math.max(largest[at >> 4], Math.abs(value)));
    const most = largest.reduce((a, b) => Math.max(a, b), 0);
    const global = Math.fround(most === 0 ? 1 : 448 * 6 / most);
    const scales = encode(largest.map((each) => each / 6 * global), "F8_E4M3");
    const stored = decode(scales, "F8_E4M3");
    const codes = Uint8Array.from(values, (value, at) => nearestE2m1(value * global / (stored[at >> 4] || Infinity)));
    return { codes: packBits(codes, 4, codes.length), scales, global: encode(Float32Array.of(global), "F32") };
  },
  decode(parts, shape, _, range) {
    const [rows, columns] = matrixShape(shape), { start, end } = matrixRows(shape, range);
    requireBytes(parts, { codes: rows * columns / 2, scales: rows * columns / BLOCK, global: 4 });
    const own = (part: string, width: number) => parts[part].subarray(start * width, end * width);
    const scales = decode(own("scales", columns / BLOCK), "F8_E4M3"), global = decode(parts.global, "F32");
    requireScales(scales);
    requireScales(Float32Array.of(1 / global[0]), "global scale");
    return nvfp4Values(unpackBits(own("codes", columns / 2), 4, (end - start) * columns), scales, global[0]);
  },
};
