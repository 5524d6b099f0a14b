import * as tf from "@tensorflow/tfjs";
import type { FusedOps } from "../../fused.js";
import type { TorchBackend } from "../backend.js";
import { adamW } from "./adam-w.js";
import { attention } from "./attention.js";
import { crossEntropy } from "./cross-entropy.js";
import { experts } from "./experts.js";
import { rmsNorm } from "./rms-norm.js";
import { takeRows } from "./take-rows.js";
import { topK } from "./top-k.js";

/** All operations that the torch back end does in one native call. */
export function fusedOps(torch: TorchBackend): Partial<FusedOps> {
  return {
    rmsNorm: rmsNorm(torch),
    attention: attention(torch),
    crossEntropy: crossEntropy(torch),
    takeRows: takeRows(torch),
    topK: topK(torch),
    experts: experts(torch),
    adamW: adamW(torch),
    shorten: (x) => tf.engine().makeTensorFromTensorInfo(torch.shorten(x)),
  };
}
