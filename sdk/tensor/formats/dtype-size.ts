import type { Dtype } from "./dtype.js";

/**
 * Bytes of one element, for the types that a safetensors file may name. MXFP4 has no such size: its blocks are stored
 * as U8.
 */
export const dtypeSizeBytes: Readonly<Partial<Record<Dtype, number>>> = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  F6_E2M3: 0.75,
  F6_E3M2: 0.75,
  F4: 0.5,
  C64: 8,
  I8: 1,
  U8: 1,
  BOOL: 1,
};
