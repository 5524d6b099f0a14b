/**
 * Packed 4-bit integers, two to a byte, the lower half first.
 *
 * @param signed -8 ... 7 in two's complement, otherwise 0 ... 15
 * @example unpackInt4(Uint8Array.of(0xf1), true)  // [1, -1]
 */
export function unpackInt4(bytes: Uint8Array, signed: boolean): Float32Array {
  const values = new Float32Array(bytes.length * 2);
  const shift = signed ? 28 : 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    values[2 * i] = ((byte & 15) << shift) >> shift;
    values[2 * i + 1] = ((byte >>> 4) << shift) >> shift;
  }
  return values;
}

/** The inverse of `unpackInt4`; values are rounded and kept in range, an odd count is padded with 0. */
export function packInt4(values: Float32Array, signed: boolean): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(values.length / 2));
  const [low, high] = signed ? [-8, 7] : [0, 15];
  for (let i = 0; i < values.length; i++) {
    const integer = Math.min(high, Math.max(low, roundHalfEven(values[i])));
    bytes[i >> 1] |= (integer & 15) << (4 * (i & 1));
  }
  return bytes;
}

/** Nearest integer, ties to even; NaN gives 0. */
export function roundHalfEven(x: number): number {
  const near = Math.round(x);
  if (Math.abs(near - x) === 0.5 && near % 2 !== 0) return near - 1;
  return near || 0;
}
