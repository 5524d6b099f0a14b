import * as tf from "@tensorflow/tfjs-core";
import type { Variable } from "@tensorflow/tfjs-core";
import type { FusedOps } from "../../fused.js";
import type { TorchBackend, TorchData } from "../backend.js";
import { handleList } from "../native.js";

/** One native call for all parameters of the same weight decay, in place. */
export function adamW(torch: TorchBackend): FusedOps["adamW"] {
  const { native } = torch;
  return (params, grads, first, second, step, { lr, beta1, beta2, eps, decay, clip }) => {
    for (const variable of [...params, ...first, ...second]) own(torch, variable);
    const factor = clip
      ? Math.min(1, clip / Math.max(native.gradientNorm(handleList(grads.map((grad) => torch.handle(grad)))), 1e-12))
      : 1;
    for (const rate of new Set(decay)) {
      const list = (tensors: tf.Tensor[]) =>
        handleList(tensors.filter((_, i) => decay[i] === rate).map((t) => torch.handle(t)));
      native.adamW(list(params), list(grads), list(first), list(second), step, lr, beta1, beta2, eps, rate, factor);
    }
    torch.dropWidened();
  };
}

/**
 * Gives a variable memory of its own, if another tensor (the one it was made from, a view) has the same; it is trained
 * in float32.
 */
function own(torch: TorchBackend, variable: Variable): void {
  const { native } = torch;
  const handle = torch.handle(variable);
  const data = variable.dataId as TorchData;
  if (data.references > 1) {
    tf.tidy(() => variable.assign(torch.tensor(native.clone(handle), variable.shape)));
  } else if (data.constant || data.short || !native.isSole(handle)) {
    torch.replace(data, native.clone(handle));
  }
  torch.dropWidened();
}
