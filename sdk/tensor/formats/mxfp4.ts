import { FormatError } from "../../errors.js";
import { badFormat, matrixRows, matrixShape, notEncodable } from "./matrix-shape.js";
import type { Codec } from "./number-format.js";

/** the sixteen 4-bit floats E2M1: sign, two bits of exponent, one of mantissa */
const NUMBERS = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6];
export const e2m1 = Float32Array.from(NUMBERS);
const BLOCK = 32;
const BLOCK_BYTES = BLOCK / 2;

/**
 * MXFP4 of the Open Compute Project: blocks of 32 four-bit floats with one power of two each.
 *
 * @param blocks 16 bytes a block, the lower half of a byte first
 * @param scales one byte a block, the exponent plus 127; 255 makes the block NaN
 */
export function decodeMxfp4(blocks: Uint8Array, scales: Uint8Array): Float32Array {
  if (blocks.length !== scales.length * BLOCK_BYTES) {
    throw new FormatError("mxfp4-length",
      `decode: MXFP4 has ${blocks.length} bytes of blocks and ${scales.length} scales; accepted is 16 `
        + "bytes for each scale. Check that both tensors are of one weight.");
  }
  const values = new Float32Array(scales.length * BLOCK);
  const scaled = new Float32Array(16);
  for (let b = 0; b < scales.length; b++) {
    const scale = scales[b] === 255 ? NaN : 2 ** (scales[b] - 127);
    for (let code = 0; code < 16; code++) scaled[code] = NUMBERS[code] * scale;
    for (let i = 0; i < BLOCK_BYTES; i++) {
      const byte = blocks[b * BLOCK_BYTES + i];
      values[b * BLOCK + 2 * i] = scaled[byte & 15];
      values[b * BLOCK + 2 * i + 1] = scaled[byte >>> 4];
    }
  }
  return values;
}

/**
 * The inverse: the scale of a block is the power of two of its largest value divided by that of 6 (section 6.3 of the
 * OCP Microscaling specification 1.0), values go to the nearest code, ties to the even one, and what is too large to 6.
 */
export function encodeMxfp4(values: Float32Array): { blocks: Uint8Array; scales: Uint8Array } {
  if (values.length % BLOCK !== 0) {
    throw new FormatError("mxfp4-length",
      `encode: MXFP4 of ${values.length} values; accepted is a multiple of 32. Pad the last block.`);
  }
  const scales = new Uint8Array(values.length / BLOCK);
  const blocks = new Uint8Array(values.length / 2);
  for (let b = 0; b < scales.length; b++) {
    const block = values.subarray(b * BLOCK, (b + 1) * BLOCK);
    if (!block.every(Number.isFinite)) {
      scales[b] = 255;
      continue;
    }
    const largest = block.reduce((top, x) => Math.max(top, Math.abs(x)), 0);
    const exponent = largest === 0 ? -127 : Math.max(-127, exponentOf(largest) - 2);
    scales[b] = exponent + 127;
    for (let i = 0; i < BLOCK; i++) {
      blocks[b * BLOCK_BYTES + (i >> 1)] |= nearestE2m1(block[i] / 2 ** exponent) << (4 * (i & 1));
    }
  }
  return { blocks, scales };
}

/** floor(log2 x), exact */
function exponentOf(x: number): number {
  const guess = Math.floor(Math.log2(x));
  return 2 ** guess > x ? guess - 1 : 2 ** (guess + 1) <= x ? guess + 1 : guess;
}

/** The code of E2M1 that is nearest, ties to the even one. */
export function nearestE2m1(x: number): number {
  const magnitude = Math.abs(x);
  let code = 0;
  while (code < 7 && (magnitude > middle(code) || (magnitude === middle(code) && code % 2 === 1))) code++;
  return Object.is(Math.sign(x), -1) || Object.is(x, -0) ? code | 8 : code;
}

/** between a code and the next */
function middle(code: number): number {
  return (NUMBERS[code] + NUMBERS[code + 1]) / 2;
}

/** Blocks of a row's 32 numbers. */
export const mxfp4: Codec<{ kind: "mxfp4" }> = {
  parts(_, shape) {
    const columns = matrixShape(shape)[1];
    if (columns % BLOCK !== 0) throw badFormat(`MXFP4 of ${columns} inputs`, "a multiple of 32");
    const blocks = [...shape.slice(0, -1), columns / BLOCK];
    return { codes: { dtype: "U8", shape: [...blocks, BLOCK_BYTES] }, scales: { dtype: "U8", shape: blocks } };
  },
  encode(values, shape, format) {
    mxfp4.parts(format, shape);
    if (!values.every(Number.isFinite)) throw notEncodable("a number is not finite", "finite numbers");
    const { blocks, scales } = encodeMxfp4(values);
    return { codes: blocks, scales };
  },
  decode({ codes, scales }, shape, _, rows) {
    const { start, end } = matrixRows(shape, rows), each = matrixShape(shape)[1] / BLOCK;
    return decodeMxfp4(codes.subarray(start * each * BLOCK_BYTES, end * each * BLOCK_BYTES),
      scales.subarray(start * each, end * each));
  },
};
