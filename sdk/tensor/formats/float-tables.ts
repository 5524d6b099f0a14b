import { packBits, unpackBits } from "./bits.js";
import { decode } from "./decode.js";
import { encode } from "./encode.js";
import { badFormat, matrixRows, matrixShape, requireBytes, requireFinite, requireScales } from "./matrix-shape.js";
import type { Codec, FloatTableFormat } from "./number-format.js";

/**
 * The numbers of four-bit codes as bitsandbytes has them: NF4 is quantiles of a normal distribution (QLoRA, appendix E,
 * arXiv:2305.14314), FP4 has its own order.
 */
export const floatTables = {
  nf4: Float32Array.of(-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634,
    0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1),
  fp4: Float32Array.of(0, 0.0052083334885537624, 0.6666666865348816, 1, 0.3333333432674408, 0.5, 0.1666666716337204,
    0.25, -0, -0.0052083334885537624, -0.6666666865348816, -1, -0.3333333432674408, -0.5, -0.1666666716337204, -0.25),
};

/** table[code] * scale of the block, the blocks running over the whole matrix. */
export function tableValues(codes: Uint8Array, table: Float32Array, scales: Float32Array, block: number): Float32Array {
  const values = new Float32Array(codes.length);
  for (let at = 0; at < codes.length; at++) values[at] = table[codes[at]] * scales[Math.floor(at / block)];
  return values;
}

function blocksOf({ block }: FloatTableFormat, count: number): number {
  if (!Number.isInteger(block) || block < 2 || block % 2 !== 0)
    throw badFormat(`block is ${block}`, "an even number from 2");
  return Math.ceil(count / block);
}

/** Four-bit codes, the first number in the low half of a byte, and an F32 scale a block. */
export const tableFloats: Codec<FloatTableFormat> = {
  parts(format, shape) {
    const [rows, columns] = matrixShape(shape);
    return { codes: { dtype: "U8", shape: [Math.ceil(rows * columns / 2)] },
      scales: { dtype: "F32", shape: [blocksOf(format, rows * columns)] } };
  },
  encode(values, _, format) {
    requireFinite(values);
    const scales = new Float32Array(blocksOf(format, values.length));
    values.forEach((value, at) => {
      const block = Math.floor(at / format.block);
      scales[block] = Math.max(scales[block], Math.abs(value));
    });
    const table = floatTables[format.kind];
    const codes = Uint8Array.from(values,
      (value, at) => nearest(table, value / (scales[Math.floor(at / format.block)] || 1)));
    return { codes: packBits(codes, 4, codes.length), scales: encode(scales, "F32") };
  },
  decode(parts, shape, format, range) {
    const [rows, columns] = matrixShape(shape), count = rows * columns;
    requireBytes(parts, { codes: Math.ceil(count / 2), scales: 4 * blocksOf(format, count) });
    const scales = decode(parts.scales, "F32");
    requireScales(scales);
    const values = tableValues(unpackBits(parts.codes, 4, count), floatTables[format.kind], scales, format.block);
    const { start, end } = matrixRows(shape, range);
    return range ? values.slice(start * columns, end * columns) : values;
  },
};

/** The code of the nearest number, of two as near the first. */
function nearest(table: Float32Array, value: number): number {
  let best = 0;
  for (let code = 1; code < table.length; code++)
    if (Math.abs(table[code] - value) < Math.abs(table[best] - value)) best = code;
  return best;
}
