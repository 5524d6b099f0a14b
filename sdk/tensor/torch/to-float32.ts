import { dtypes, type Native } from "./native.js";

/** Number formats of checkpoints whose bytes the addon turns into float32. */
export type ConvertedDtype = "bfloat16" | "float16" | "float64" | "float8_e4m3fn" | "float8_e5m2" | "int8" | "uint8"
  | "int16" | "int32" | "int64";

/** Little-endian bytes as float32, on all threads; rounded to nearest where float32 holds less. */
export type ToFloat32 = (bytes: Uint8Array, dtype: ConvertedDtype) => Float32Array;

const SIZES: Record<ConvertedDtype, number> = { bfloat16: 2, float16: 2, float64: 8, float8_e4m3fn: 1, float8_e5m2: 1,
  int8: 1, uint8: 1, int16: 2, int32: 4, int64: 8 };

export function toFloat32(native: Native): ToFloat32 {
  return (bytes, dtype) => {
    const aligned = bytes.byteOffset % SIZES[dtype] === 0 ? bytes : bytes.slice();
    return native.toFloat32(aligned, dtypes[dtype], new Float32Array(bytes.length / SIZES[dtype]));
  };
}
