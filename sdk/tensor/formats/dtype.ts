export type Dtype = "F64" | "F32" | "F16" | "BF16" | "F8_E4M3" | "F8_E5M2" | "I64" | "I32" | "I16" | "I8" | "U64"
  | "U32" | "U16" | "U8" | "BOOL" | "MXFP4" | "Q8_0" | "Q4_0" | "Q4_K" | "Q6_K";
