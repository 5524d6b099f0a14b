import { packBits, unpackBits } from "./bits.js";
import { decode } from "./decode.js";
import type { Dtype } from "./dtype.js";
import { encode } from "./encode.js";
import { decodeGaps, encodeGaps, golombParameter } from "./golomb.js";
import { badFormat, badParts, matrixRows, matrixShape, notEncodable, requireBytes,
  requireScales } from "./matrix-shape.js";
import type { Codec, Parts, TernaryFormat } from "./number-format.js";

const HEAD = 8;

/**
 * -1, 0 and 1 times one F32 number (ComPEFT, arXiv:2311.13171). Masks: one bit a number for what is there, one for what
 * is negative. Golomb: the gaps between what is there, each with a sign, see `golomb.ts`.
 */
export const ternary: Codec<TernaryFormat> = {
  parts({ positions, bytes }, shape): Parts<{ dtype: Dtype; shape: number[] }> {
    const [rows, columns] = matrixShape(shape);
    if (positions === "golomb") {
      if (bytes === undefined || !Number.isInteger(bytes) || bytes < 1)
        throw badFormat(`bytes are ${bytes}`, "what the encoder says");
      return { codes: { dtype: "U8", shape: [bytes] }, scales: { dtype: "F32", shape: [1] } };
    }
    const mask = { dtype: "U8" as const, shape: [Math.ceil(rows * columns / 8)] };
    return { mask, codes: mask, scales: { dtype: "F32", shape: [1] } };
  },
  encode(values, _, { positions }): Parts<Uint8Array> {
    const scale = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    const odd = values.findIndex((value) => value !== 0 && Math.abs(value) !== scale);
    if (odd >= 0 || !Number.isFinite(scale))
      throw notEncodable(`number ${odd} is ${values[odd]} beside ${scale}`, "0 and one finite number, of either sign");
    const scales = encode(Float32Array.of(scale), "F32");
    if (positions === "golomb") return { codes: golomb(values), scales };
    const bits = (is: (value: number) => boolean) =>
      packBits(Uint8Array.from(values, (value) => (is(value) ? 1 : 0)), 1, values.length);
    return { mask: bits((value) => value !== 0), codes: bits((value) => value < 0), scales };
  },
  decode(parts, shape, format, range) {
    const [rows, columns] = matrixShape(shape), count = rows * columns;
    requireBytes(parts, { scales: 4 });
    const scales = decode(parts.scales, "F32");
    requireScales(scales);
    const values = new Float32Array(count);
    if (format.positions === "golomb") {
      const { codes } = parts;
      if (codes.length < HEAD) throw badParts(`codes are ${codes.length} bytes`, `${HEAD} and more`);
      const head = new DataView(codes.buffer, codes.byteOffset, HEAD);
      const { positions, signs } = decodeGaps(codes.subarray(HEAD), head.getUint32(4, true), head.getUint32(0, true),
        count);
      positions.forEach((at, i) => (values[at] = signs[i] ? -scales[0] : scales[0]));
    } else {
      const bytes = Math.ceil(count / 8);
      requireBytes(parts, { mask: bytes, codes: bytes });
      const there = unpackBits(parts.mask, 1, count), negative = unpackBits(parts.codes, 1, count);
      for (let at = 0; at < count; at++) if (there[at]) values[at] = negative[at] ? -scales[0] : scales[0];
    }
    const { start, end } = matrixRows(shape, range);
    return range ? values.slice(start * columns, end * columns) : values;
  },
  settled: (format, { codes }) => (format.positions === "golomb" ? { ...format, bytes: codes.length } : format),
};

/** Golomb's parameter and the number of places, four bytes each, then the gaps. */
function golomb(values: Float32Array): Uint8Array {
  const positions: number[] = [];
  values.forEach((value, at) => value !== 0 && positions.push(at));
  const m = golombParameter(positions.length / values.length);
  const gaps = encodeGaps(positions, positions.map((at) => (values[at] < 0 ? 1 : 0)), m);
  const codes = new Uint8Array(HEAD + gaps.length), head = new DataView(codes.buffer);
  head.setUint32(0, m, true);
  head.setUint32(4, positions.length, true);
  codes.set(gaps, HEAD);
  return codes;
}
