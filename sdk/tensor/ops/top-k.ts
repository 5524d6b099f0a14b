import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { fused } from "../fused.js";
import { detach } from "./detach.js";

/**
 * The k largest values of each row, largest first; of equal values the lower index comes first.
 * The gradient goes through the values; the indices have none.
 *
 * @param x [N, E]
 * @param k 1 <= k <= E
 * @returns values [N, k] and indices int32 [N, k]
 */
export function topK(x: Tensor, k: number): { values: Tensor; indices: Tensor } {
  // tf.topk has its gradient from sdk/tensor/gradients/top-k.ts
  const { values, indices } = fused.topK?.(x, k) ?? tf.topk(x, k, true);
  const free = detach(indices);
  indices.dispose();
  return { values, indices: free };
}
