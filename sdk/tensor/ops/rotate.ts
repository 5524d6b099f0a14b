import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { fused } from "../fused.js";

export interface RotateOptions {
  /** true: pairs are neighbours (0, 1), (2, 3), ...; false: pairs are (0, r/2), (1, r/2 + 1), ... */
  interleaved: boolean;
}

/**
 * Rotary position embedding on the first r of d dimensions; the others pass through.
 *
 * @param x [B, H, T, d]
 * @param cos [T, r/2] cosines of the angles, by position and pair
 * @param sin [T, r/2]
 */
export function rotate(x: Tensor, cos: Tensor, sin: Tensor, { interleaved }: RotateOptions): Tensor {
  if (fused.rotate) return fused.rotate(x, cos, sin, interleaved);
  return tf.tidy(() => {
    const [B, H, T, d] = x.shape as [number, number, number, number];
    const half = cos.shape[1]!;
    const turned = tf.slice(x, [0, 0, 0, 0], [B, H, T, 2 * half]);
    const pairs = interleaved ? tf.unstack(tf.reshape(turned, [B, H, T, half, 2]), 4) : tf.split(turned, 2, 3);
    const [a, b] = pairs as [Tensor, Tensor];
    const first = tf.sub(tf.mul(a, cos), tf.mul(b, sin));
    const second = tf.add(tf.mul(b, cos), tf.mul(a, sin));
    const done = interleaved
      ? tf.reshape(tf.stack([first, second], 4), [B, H, T, 2 * half])
      : tf.concat([first, second], 3);
    return 2 * half === d ? done : tf.concat([done, tf.slice(x, [0, 0, 0, 2 * half], [B, H, T, d - 2 * half])], 3);
  });
}
