import type { Tensor } from "@tensorflow/tfjs-core";
import { tf } from "../../tensor/index.js";
import { type LayerWeights, weight } from "../held-weights.js";
import type { LayerCache } from "../pass.js";
import { remember } from "./cache.js";

/**
 * Each channel is filtered over time by its own kernel, which sees this token and the kernel - 1 before it.
 *
 * @param x [B, T, C]
 * @param name weights [C, kernel]; its last column meets the present token
 */
export function causalConvolution(x: Tensor, weights: LayerWeights, name: string, cache?: LayerCache): Tensor {
  const kernel = weight(weights, name);
  const [B, T, C] = x.shape as [number, number, number];
  const K = kernel.shape[1] as number;
  const past = cache?.convolution ?? tf.zeros([B, K - 1, C]);
  const all = tf.concat([past, x], 1);
  if (cache) remember(cache, "convolution", tf.slice(all, [0, T, 0], [B, K - 1, C]));
  const columns = tf.unstack(kernel, 1);
  const y = tf.addN(columns.map((column, k) => tf.mul(tf.slice(all, [0, k, 0], [B, T, C]), column)));
  const bias = weights.get(`${name}.bias`);
  return bias ? tf.add(y, bias) : y;
}
