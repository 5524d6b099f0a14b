import * as tf from "@tensorflow/tfjs-core";
import type { FusedOps } from "../../fused.js";
import type { TorchBackend } from "../backend.js";
import { adamW } from "./adam-w.js";
import { attention } from "./attention.js";
import { crossEntropy } from "./cross-entropy.js";
import { experts } from "./experts.js";
import { rmsNorm } from "./rms-norm.js";
import { rotate } from "./rotate.js";
import { takeRows } from "./take-rows.js";
import { topK } from "./top-k.js";

/** All operations that the torch back end does in one native call. */
export function fusedOps(torch: TorchBackend): Partial<FusedOps> {
  const all: Partial<FusedOps> = {
    rmsNorm: rmsNorm(torch),
    rotate: rotate(torch),
    attention: attention(torch),
    crossEntropy: crossEntropy(torch),
    takeRows: takeRows(torch),
    topK: topK(torch),
    experts: experts(torch),
    adamW: adamW(torch),
    shorten: (x) => tf.engine().makeTensorFromTensorInfo(torch.shorten(x)),
    lengthen: (x, shape) => tf.engine().makeTensorFromTensorInfo(torch.lengthen(x, shape)),
    doubles: (x) => torch.doubles(x),
  };
  if (torch.device === "cpu") return all;
  // the others are loops over the memory of the processor; on a GPU they are composed of TensorFlow.js's operations
  const { crossEntropy: entropy, topK: top, adamW: step, shorten, lengthen, doubles } = all;
  return { crossEntropy: entropy, topK: top, adamW: step, shorten, lengthen, doubles };
}
