import { awq } from "./awq.js";
import { bitsandbytes4, bitsandbytes8 } from "./bitsandbytes.js";
import { modelOptNvfp4, mxfp4Blocks, mxfp4Packed, nvfp4Packed } from "./four-bit-floats.js";
import { gptq } from "./gptq.js";
import { hqq } from "./hqq.js";
import type { Layout } from "./layout.js";
import { moelab } from "./moelab.js";
import { packQuantized } from "./pack-quantized.js";
import { blockScaled, rowScaled, scaleBeside } from "./scaled.js";
import { sparseBitmask } from "./sparse-bitmask.js";

/** Of several with one key the first that accepts the tensors counts. */
export const layouts: readonly Layout[] = [gptq, awq, packQuantized, nvfp4Packed, mxfp4Packed, modelOptNvfp4,
  sparseBitmask, bitsandbytes4, bitsandbytes8, hqq, mxfp4Blocks, blockScaled, rowScaled, scaleBeside, moelab];
