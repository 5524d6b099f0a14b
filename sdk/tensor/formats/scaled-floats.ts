import { decode } from "./decode.js";
import { encode } from "./encode.js";
import { badFormat, badParts, matrixRows, matrixShape, requireBytes, requireFinite,
  requireScales } from "./matrix-shape.js";
import type { Codec, ScaledFormat } from "./number-format.js";

/**
 * Multiplies a matrix by the scale of each block, in place.
 *
 * @param scales of the blocks from the first row's on, row by row
 * @param blocks rows and columns of a block
 * @param start row of a larger matrix that the first row is
 */
export function scaleBlocks(
  values: Float32Array,
  columns: number,
  scales: Float32Array,
  [height, width]: readonly [rows: number, columns: number],
  start = 0,
): Float32Array {
  const across = Math.ceil(columns / width), first = start % height;
  for (let row = 0, at = 0; at < values.length; row++) {
    const scale = Math.floor((first + row) / height) * across;
    for (let column = 0; column < columns; column++, at++) {
      const factor = scales[scale + Math.floor(column / width)];
      if (factor === 0 && values[at] !== 0)
        throw badParts(`the scale of row ${start + row}, column ${column} is 0 and its code is not`,
          "scales other than 0");
      values[at] *= factor;
    }
  }
  return values;
}

/** Lengths of a block of a matrix. @throws MoeError `bad-format` */
function blocksOf({ rows, columns }: ScaledFormat, shape: readonly number[]): [rows: number, columns: number] {
  if (![rows, columns].every((length) => Number.isInteger(length) && length >= 0))
    throw badFormat(`blocks are ${rows} x ${columns}`, "whole numbers from 0 (all)");
  const [height, width] = matrixShape(shape);
  return [rows || Math.max(1, height), columns || Math.max(1, width)];
}

const LARGEST = { F8_E4M3: 448, F8_E5M2: 57344 } as const;

/** Eight-bit floats with one F32 scale a block; the largest number of a block becomes the largest code. */
export const scaledFloats: Codec<ScaledFormat> = {
  parts(format, shape) {
    const [height, width] = blocksOf(format, shape), [rows, columns] = matrixShape(shape);
    return { codes: { dtype: format.codes, shape: [...shape] },
      scales: { dtype: "F32", shape: [Math.ceil(rows / height), Math.ceil(columns / width)] } };
  },
  encode(values, shape, format) {
    requireFinite(values);
    const blocks = blocksOf(format, shape), [rows, columns] = matrixShape(shape), [height, width] = blocks;
    const across = Math.ceil(columns / width);
    const scales = new Float32Array(Math.ceil(rows / height) * across);
    const placeOf = (at: number) =>
      Math.floor(Math.floor(at / columns) / height) * across + Math.floor(at % columns / width);
    values.forEach((value, at) => scales[placeOf(at)] = Math.max(scales[placeOf(at)], Math.abs(value)));
    for (let at = 0; at < scales.length; at++) scales[at] = scales[at] / LARGEST[format.codes] || 1;
    return { codes: encode(values.map((value, at) => value / scales[placeOf(at)]), format.codes),
      scales: encode(scales, "F32") };
  },
  decode({ codes, scales }, shape, format, range) {
    const blocks = blocksOf(format, shape), [rows, columns] = matrixShape(shape), [height, width] = blocks;
    const across = Math.ceil(columns / width);
    requireBytes({ codes, scales }, { codes: rows * columns, scales: 4 * Math.ceil(rows / height) * across });
    const { start, end } = matrixRows(shape, range);
    const values = decode(codes.subarray(start * columns, end * columns), format.codes);
    const all = decode(scales, "F32");
    requireScales(all);
    return scaleBlocks(values, columns, all.subarray(Math.floor(start / height) * across), blocks, start);
  },
};
