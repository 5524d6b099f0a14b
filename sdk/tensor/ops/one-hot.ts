import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "@tensorflow/tfjs";

/**
 * 1 at each index and 0 elsewhere, float32; an index outside 0 ... n - 1 gives zeros.
 *
 * @param indices int32 of any shape
 * @returns [...indices.shape, n]
 */
export function oneHot(indices: Tensor, n: number): Tensor {
  // an equality, because the WebAssembly kernel of tf.oneHot writes integers into a float32 result
  return tf.tidy(() => tf.cast(tf.equal(tf.expandDims(indices, -1), tf.range(0, n, 1, "int32")), "float32"));
}
