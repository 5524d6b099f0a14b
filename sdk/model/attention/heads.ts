import type { Tensor } from "@tensorflow/tfjs-core";
import { tf } from "../../tensor/index.js";

/** [N, H d] -> [B, H, T, d] */
export function splitHeads(x: Tensor, B: number, T: number, H: number): Tensor {
  return tf.transpose(tf.reshape(x, [B, T, H, -1]), [0, 2, 1, 3]);
}

/** [B, H, T, d] -> [N, H d] */
export function joinHeads(x: Tensor, B: number, T: number): Tensor {
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [B * T, -1]);
}

/** [B, T, G, d] -> [B, T, G n, d], each head n times in a row */
export function repeatHeads(x: Tensor, n: number): Tensor {
  const [B, T, G, d] = x.shape as [number, number, number, number];
  return tf.reshape(tf.concat(Array.from({ length: n }, () => tf.reshape(x, [B * T * G, 1, d])), 1), [B, T, G * n, d]);
}
