import * as tf from "@tensorflow/tfjs-core";

/**
 * Gives the system the memory that freed tensors left to the process, where the active back end keeps it for the next
 * ones.
 * For work on a model that is larger than memory, between its parts: a training step would only ask for the same again.
 */
export function trimHeap(): void {
  (tf.engine().backend as { native?: { trimHeap?(): void } } | undefined)?.native?.trimHeap?.();
}
