/** How one number is stored in a safetensors file. */
export type PlainDtype = "F64" | "F32" | "F16" | "BF16" | "F8_E4M3" | "F8_E5M2" | "F8_E8M0" | "F8_E4M3FNUZ"
  | "F8_E5M2FNUZ" | "F6_E2M3" | "F6_E3M2" | "F4" | "C64" | "I64" | "I32" | "I16" | "I8" | "U64" | "U32" | "U16" | "U8"
  | "BOOL";

/** Packed weights in one word; their `NumberFormat` says more. */
export type PackedDtype = `INT${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8}` | "NF4" | "FP4" | "MXFP4" | "NVFP4" | "SPARSE"
  | "TERNARY" | `Q${number}_${number}` | `Q${number}_K` | `IQ${number}_${string}` | `TQ${number}_${number}`;

export type Dtype = PlainDtype | PackedDtype;
