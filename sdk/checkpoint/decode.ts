import { MoeError } from "../errors.js";
import type { Dtype } from "./weight-source.js";

/** Numbers as float32 from little-endian bytes that start aligned. Goes when tensor/formats decodes. */
export function decode(bytes: Uint8Array, dtype: Dtype): Float32Array {
  const { buffer, byteOffset, length } = bytes;
  switch (dtype) {
    case "F32": return new Float32Array(buffer, byteOffset, length / 4);
    case "I32": return Float32Array.from(new Int32Array(buffer, byteOffset, length / 4));
    case "I64": return Float32Array.from(new BigInt64Array(buffer, byteOffset, length / 8), Number);
    case "BF16": {
      const bits = Uint32Array.from(new Uint16Array(buffer, byteOffset, length / 2), (half) => half << 16);
      return new Float32Array(bits.buffer);
    }
    case "F16": return Float32Array.from(new Uint16Array(buffer, byteOffset, length / 2), halfToNumber);
    default: throw new MoeError("dtype", `read: dtype ${dtype} is not decoded; accepted are F32, F16, BF16, I64, I32. Read bytes instead.`);
  }
}

function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const mantissa = half & 1023;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + mantissa / 1024) : 2 ** -24 * mantissa);
}
