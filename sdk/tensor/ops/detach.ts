import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

/**
 * The same values, without a way back for gradients. What was chosen is such a value: a gradient that only passes
 * through indices is zero, and looking for it would stop at operations that have none.
 */
export function detach<T extends Tensor>(x: T): T {
  return tf.customGrad(() => ({ value: tf.clone(x), gradFunc: () => [] }))() as T;
}
