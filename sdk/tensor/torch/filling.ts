import type { StartFilling } from "../filling.js";
import { decode } from "../formats/decode.js";
import { dtypeSizeBytes } from "../formats/dtype-size.js";
import type { TorchBackend } from "./backend.js";
import { dtypes } from "./native.js";

/** The number formats that the addon converts while it fills a tensor. */
const CONVERTED: Partial<Record<string, number>> = { F32: dtypes.float32, BF16: dtypes.bfloat16, F16: dtypes.float16,
  F64: dtypes.float64, F8_E4M3: dtypes.float8_e4m3fn, F8_E5M2: dtypes.float8_e5m2 };

/** Fills tensors of the addon. */
export function startFilling(torch: TorchBackend): StartFilling {
  const { native } = torch;
  return (shape) => {
    const handle = native.empty(dtypes.float32, ...shape);
    return {
      put: (at, bytes, dtype) => {
        const code = CONVERTED[dtype];
        const width = dtypeSizeBytes[dtype] ?? 1;
        const isPlain = code !== undefined && bytes.length % width === 0 && bytes.byteOffset % width === 0;
        native.fill(handle, at, isPlain ? bytes : decode(bytes, dtype), isPlain ? code : dtypes.float32);
      },
      done: () => torch.tensor(handle, shape),
      drop: () => native.release(handle),
    };
  };
}
