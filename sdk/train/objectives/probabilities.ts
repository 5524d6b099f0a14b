import type { Tensor } from "@tensorflow/tfjs-core";
import type { MoeRecord } from "../../model/pass.js";
import { oneHot, tf } from "../../tensor/index.js";

/** What losses of a router are made of; padding counts nowhere, and counts carry no gradient. */
export interface Shares {
  /** [N, E] softmax of the logits, 0 for padding */
  p: Tensor;
  /** [N, 1] 1 for real tokens */
  real: Tensor;
  /** real tokens, a scalar of at least 1 */
  tokens: Tensor;
  /** [N, E] how often a token chose an expert */
  chosen: Tensor;
}

/** Probabilities and choices of one layer. */
export function sharesOf({ logits, choice, real: mask }: MoeRecord): Shares {
  const [N, E] = logits.shape;
  const real = mask ? tf.tensor2d(Float32Array.from(mask), [N, 1]) : tf.ones([N, 1]);
  return { p: tf.mul(tf.softmax(logits), real), real, tokens: tf.maximum(tf.sum(real), 1),
    chosen: tf.sum(oneHot(choice, E), 1) };
}
