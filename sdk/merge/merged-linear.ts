import type { Tensor, Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";
import { oneHot, tf } from "../tensor/index.js";

/**
 * Merges the chosen experts of each sequence into one matrix before multiplying: MEO, arXiv:2310.09832.
 * For linear experts `sum_i g_i (W_i x) = (sum_i g_i W_i) x`, so the result and its gradients are those of the usual
 * mixture, for about one expert's products when a gate decision is shared by a sequence of many tokens.
 *
 * @param x [B, T, in]
 * @param choice int32 [B, K] experts of each sequence
 * @param gates [B, K]
 * @param weight [E, out, in]
 * @param bias [E, out]
 * @returns [B, T, out]
 */
export function mergedLinear(
  x: Tensor3D,
  choice: Tensor2D,
  gates: Tensor2D,
  weight: Tensor3D,
  bias?: Tensor2D,
): Tensor3D {
  return tf.tidy(() => {
    const [E, out, width] = weight.shape;
    // [B, E]: the gates where their experts are
    const mixing = tf.sum(tf.mul(oneHot(choice, E), tf.expandDims(gates, -1)), 1);
    const merged = tf.reshape(tf.matMul(mixing as Tensor2D, tf.reshape(weight, [E, out * width]) as Tensor2D), [
      x.shape[0],
      out,
      width,
    ]);
    const y = tf.matMul(x as Tensor, merged, false, true);
    return (bias ? tf.add(y, tf.expandDims(tf.matMul(mixing as Tensor2D, bias), 1)) : y) as Tensor3D;
  });
}

/**
 * Products per sequence of T tokens, two FLOPs each: building the merged matrix of K experts, and one expert on every
 * token.
 */
export function mergedLinearFlops(
  tokens: number,
  chosen: number,
  out: number,
  width: number,
): { merged: number; mixture: number } {
  return { merged: 2 * out * width * (tokens + chosen), mixture: 2 * out * width * tokens * chosen };
}
