import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { tf } from "../../tensor/index.js";

/**
 * Choices of a token that fall into one place become its first, with the sum of their gates; the others become -1.
 * The result of the layer stays the same, for one run less.
 *
 * @param place int32 [N, K], -1 for none
 * @param gates [N, K]
 */
export function combineChoices(place: Tensor2D, gates: Tensor2D): { place: Tensor2D; gates: Tensor2D } {
  const K = place.shape[1];
  if (K === 1) return { place, gates };
  // [N, K, K]: choice k and choice j are the same
  const same = tf.cast(tf.equal(tf.expandDims(place, 2), tf.expandDims(place, 1)), "float32");
  const before = tf.tensor3d(Float32Array.from({ length: K * K }, (_, i) => (i % K < Math.floor(i / K) ? 1 : 0)), [1, K,
    K]);
  const first = tf.equal(tf.sum(tf.mul(same, before), -1), 0);
  const summed = tf.sum(tf.mul(same, tf.expandDims(gates, 1)), -1);
  return {
    place: tf.sub(tf.mul(tf.add(place, tf.scalar(1, "int32")), tf.cast(first, "int32")),
      tf.scalar(1, "int32")) as Tensor2D,
    gates: tf.mul(summed, tf.cast(first, "float32") as Tensor) as Tensor2D,
  };
}
