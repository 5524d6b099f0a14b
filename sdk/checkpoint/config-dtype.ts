import type { Dtype } from "../tensor/formats/dtype.js";

const TORCH_NAMES: Partial<Record<Dtype, string>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/** Transformers 4 reads `torch_dtype`, transformers 5 `dtype`: the word that is there. */
export function withDtype(config: Record<string, unknown>, dtype?: Dtype): Record<string, unknown> {
  if (!dtype) return config;
  return { ...config, ["dtype" in config ? "dtype" : "torch_dtype"]: TORCH_NAMES[dtype] };
}

/** The number format that a configuration says; float32 if it says none. */
export function modelDtype(config: Record<string, unknown>): Dtype {
  const named = config.dtype ?? config.torch_dtype;
  return (Object.keys(TORCH_NAMES) as Dtype[]).find((dtype) => TORCH_NAMES[dtype] === named) ?? "F32";
}
