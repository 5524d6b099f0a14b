import type { Tensor } from "@tensorflow/tfjs-core";
import { MoeError } from "../../errors.js";
import { fused } from "../fused.js";

/**
 * A tensor that is held and computed in float64, where float32 loses too much: long sums, small differences,
 * ill-conditioned
 * systems. It is a tensor like any other: what is computed of it is float64 as well, with gradients; `data()` rounds to
 * float32, `float64Data` does not. TensorFlow.js has no name for it, so that its dtype reads "float32".
 * Products of a float64 and a float32 tensor are float64. The torch back end alone has it; svd, eigh, qr, cholesky,
 * solve
 * and lstsq compute in float64 everywhere.
 *
 * @param x numbers, or a tensor, whose values are not rounded
 * @param shape of the numbers; of the tensor itself by default
 * @throws MoeError `no-float64` on another back end
 * @example const third = tf.div(asFloat64(Float64Array.of(1), [1]), 3);
 */
export function asFloat64(x: Float64Array, shape: number[]): Tensor;
export function asFloat64(x: Tensor): Tensor;
export function asFloat64(x: Tensor | Float64Array, shape: number[] = (x as Tensor).shape): Tensor {
  if (!fused.lengthen)
    throw new MoeError("no-float64",
      "asFloat64: the active back end computes in float32; accepted is the torch back end. Build it (npm "
        + "run engine), or use svd, eigh, qr, cholesky, solve or lstsq, which compute in float64 everywhere.");
  return fused.lengthen(x, shape);
}
