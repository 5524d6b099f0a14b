import { packBits, unpackBits } from "./bits.js";
import { decode } from "./decode.js";
import type { Dtype } from "./dtype.js";
import { encode } from "./encode.js";
import { badFormat, badParts, matrixRows, matrixShape, notEncodable, requireBytes,
  requireScales } from "./matrix-shape.js";
import type { Codec, Parts, TernaryFormat } from "./number-format.js";

/**
 * -1, 0 and 1 times one F32 number (ComPEFT, arXiv:2311.13171). Masks: one bit a number for what is there, one for what
 * is negative. Golomb: the gaps between what is there, each in unary and `k` low bits of a Rice code, then a sign; the
 * first byte is k, the encoder's choice for the shortest stream.
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
    if (format.positions === "golomb") placesOf(parts.codes, count, (at, sign) => values[at] = sign * scales[0]);
    else {
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

function golomb(values: Float32Array): Uint8Array {
  const gaps: number[] = [], signs: number[] = [];
  let last = -1;
  values.forEach((value, at) => {
    if (value === 0) return;
    gaps.push(at - last - 1);
    signs.push(value < 0 ? 1 : 0);
    last = at;
  });
  const length = (k: number) => gaps.reduce((sum, gap) => sum + Math.floor(gap / 2 ** k) + k + 2, 0);
  let k = 0;
  while (k < 30 && length(k + 1) < length(k)) k++;
  const codes = new Uint8Array(1 + Math.ceil(length(k) / 8));
  codes[0] = k;
  let at = 8;
  const put = (bit: number) => {
    codes[at >> 3] |= bit << (at & 7);
    at++;
  };
  gaps.forEach((gap, index) => {
    for (let rest = Math.floor(gap / 2 ** k); rest > 0; rest--) put(1);
    put(0);
    for (let bit = 0; bit < k; bit++) put((gap >> bit) & 1);
    put(signs[index]);
  });
  // what is left of the last byte is a gap that never ends
  while (at & 7) put(1);
  return codes;
}

/** @throws FormatError `packed` for a stream that leads beyond the last number */
function placesOf(codes: Uint8Array, count: number, found: (at: number, sign: number) => void): void {
  const k = codes[0], end = 8 * codes.length;
  if (!(k <= 30)) throw badParts(`k is ${k}`, "0 to 30");
  for (let at = 8, place = -1;;) {
    let gap = 0;
    const bit = () => (codes[at >> 3] >> (at++ & 7)) & 1;
    while (at < end && bit()) gap++;
    if (at + k + 1 > end) return;
    gap *= 2 ** k;
    for (let low = 0; low < k; low++) gap += bit() * 2 ** low;
    place += gap + 1;
    if (place >= count) throw badParts(`a gap leads to number ${place} of ${count}`, "gaps inside the matrix");
    found(place, bit() ? -1 : 1);
  }
}
