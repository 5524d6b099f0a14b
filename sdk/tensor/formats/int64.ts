/** float32 from 64-bit integers, rounded once. By way of a plain double a number above 2^53 would be rounded twice. */
export function decodeInt64(integers: BigInt64Array | BigUint64Array): Float32Array {
  return Float32Array.from(integers as BigInt64Array, (integer) => {
    const magnitude = integer < 0n ? -integer : integer;
    if (magnitude <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(integer);
    // keep 53 bits; a lowest bit of 1 stands for everything cut off, so that the second rounding sees it
    const cut = magnitude >> 11n;
    const kept = Number(magnitude & 0x7ffn ? cut | 1n : cut) * 2 ** 11;
    return integer < 0n ? -kept : kept;
  });
}
