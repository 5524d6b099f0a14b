/**
 * bfloat16 is the upper half of a float32. Two at a time, as one 32-bit word: half the reads. @param target as long as
 * `codes`; fresh memory by default
 */
export function decodeBf16(codes: Uint16Array, target: Float32Array = new Float32Array(codes.length)): Float32Array {
  const out = new Uint32Array(target.buffer, target.byteOffset, codes.length);
  if (codes.byteOffset % 4 !== 0) {
    for (let i = 0; i < codes.length; i++) out[i] = codes[i] << 16;
    return target;
  }
  const pairs = new Uint32Array(codes.buffer, codes.byteOffset, codes.length >>> 1);
  for (let i = 0, o = 0; i < pairs.length; i++, o += 2) {
    const pair = pairs[i];
    out[o] = pair << 16;
    out[o + 1] = pair & 0xffff0000;
  }
  if (codes.length % 2 === 1) out[codes.length - 1] = codes[codes.length - 1] << 16;
  return target;
}

/** Nearest bfloat16, ties to even; every NaN becomes 0x7fc0. */
export function encodeBf16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const codes = new Uint16Array(values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    const isNan = (word & 0x7fffffff) > 0x7f800000;
    codes[i] = isNan ? 0x7fc0 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return codes;
}
