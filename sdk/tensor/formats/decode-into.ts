import { decodeBf16 } from "./bf16.js";
import { decode } from "./decode.js";
import type { Dtype } from "./dtype.js";

/**
 * Decodes into memory that is there, from element `at` on; F32 and BF16, in which checkpoints are, without anything in
 * between.
 */
export function decodeInto(target: Float32Array, at: number, bytes: Uint8Array, dtype: Dtype): void {
  if (dtype === "F32" && bytes.length % 4 === 0)
    new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(bytes, 4 * at);
  else if (dtype === "BF16" && bytes.length % 2 === 0 && bytes.byteOffset % 2 === 0)
    decodeBf16(new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2),
      target.subarray(at, at + bytes.length / 2));
  else target.set(decode(bytes, dtype), at);
}
