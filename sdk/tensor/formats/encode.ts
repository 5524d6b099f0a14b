import { FormatError } from "../../errors.js";
import { encodeBf16 } from "./bf16.js";
import type { Dtype } from "./dtype.js";
import { encodeFloats, f16, f8e4m3, f8e5m2, type FloatFormat } from "./float-format.js";
import { roundHalfEven } from "./int4.js";
import { encodeMxfp4 } from "./mxfp4.js";

/**
 * Little-endian bytes of a dtype from float32; the inverse of `decode`. Rounds to nearest, ties to even. Beyond the
 * largest number floats become infinity (F8_E4M3: NaN) and integers the largest or smallest one; a NaN integer is 0.
 */
export function encode(values: Float32Array, dtype: Dtype): Uint8Array {
  switch (dtype) {
    case "F32":
      return bytesOf(values.slice());
    case "F64":
      return bytesOf(Float64Array.from(values));
    case "BF16":
      return bytesOf(encodeBf16(values));
    case "F16":
      return floats(values, f16);
    case "F8_E4M3":
      return floats(values, f8e4m3);
    case "F8_E5M2":
      return floats(values, f8e5m2);
    case "I64":
      return bytesOf(BigInt64Array.from(values as never, toBigInt(-(2n ** 63n), 2n ** 63n - 1n)));
    case "U64":
      return bytesOf(BigUint64Array.from(values as never, toBigInt(0n, 2n ** 64n - 1n)));
    case "I32":
      return bytesOf(Int32Array.from(values, toInteger(-(2 ** 31), 2 ** 31 - 1)));
    case "U32":
      return bytesOf(Uint32Array.from(values, toInteger(0, 2 ** 32 - 1)));
    case "I16":
      return bytesOf(Int16Array.from(values, toInteger(-(2 ** 15), 2 ** 15 - 1)));
    case "U16":
      return bytesOf(Uint16Array.from(values, toInteger(0, 2 ** 16 - 1)));
    case "I8":
      return bytesOf(Int8Array.from(values, toInteger(-128, 127)));
    case "U8":
      return Uint8Array.from(values, toInteger(0, 255));
    case "BOOL":
      return Uint8Array.from(values, (value) => (value ? 1 : 0));
    case "MXFP4": {
      const { blocks, scales } = encodeMxfp4(values);
      return Uint8Array.from([...blocks, ...scales]);
    }
    default:
      throw new FormatError("unknown-dtype", `encode: dtype ${dtype} is not known. Write F32 or BF16.`);
  }
}

function floats(values: Float32Array, format: FloatFormat): Uint8Array {
  const codes = format.bits === 8 ? new Uint8Array(values.length) : new Uint16Array(values.length);
  encodeFloats(values, format, codes);
  return bytesOf(codes);
}

function toInteger(low: number, high: number) {
  return (value: number) => Math.min(high, Math.max(low, roundHalfEven(value)));
}

function toBigInt(low: bigint, high: bigint) {
  return (value: unknown) => {
    const rounded = roundHalfEven(value as number);
    if (rounded >= Number(high)) return high;
    return rounded <= Number(low) ? low : BigInt(rounded);
  };
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
