import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { safeSoftmax } from "./safe-softmax.js";
import { withGradient } from "./with-gradient.js";

/**
 * `log(sum(exp(x)))` over the last axis without overflow; the gradient is the softmax.
 *
 * @param x [..., V]
 * @returns [...]
 */
export function logSumExp(x: Tensor): Tensor {
  return withGradient([x], (save) => {
    save([x]);
    return {
      value: tf.logSumExp(x, -1),
      gradient: (dy, saved) => tf.mul(safeSoftmax(saved[0]), tf.expandDims(dy, -1)),
    };
  });
}
