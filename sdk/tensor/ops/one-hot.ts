import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

/**
 * 1 at each index and 0 elsewhere, float32; an index outside 0 ... n - 1 gives zeros.
 *
 * @param indices int32 of any shape
 * @returns [...indices.shape, n]
 */
export function oneHot(indices: Tensor, n: number): Tensor {
  // the kernel itself, because tf.oneHot refuses n of 1: a router with one output
  return tf.engine().runKernel("OneHot", { indices }, { depth: n, onValue: 1, offValue: 0,
    dtype: "float32" }) as Tensor;
}
