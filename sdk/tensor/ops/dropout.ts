import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { MoeError } from "../../errors.js";
import type { Rng } from "../rng.js";

/**
 * Sets a share of the values to zero and scales the others by 1 / (1 - rate), so that the mean stays.
 *
 * @param rate 0 <= rate < 1
 */
export function dropout(x: Tensor, rate: number, rng: Rng): Tensor {
  if (!(rate >= 0 && rate < 1))
    throw new MoeError("dropout-rate", `dropout: rate is ${rate}; accepted is 0 up to, not including, 1.`);
  if (rate === 0) return tf.clone(x);
  return tf.tidy(() => {
    const keep = new Float32Array(x.size);
    for (let i = 0; i < keep.length; i++) if (rng.next() >= rate) keep[i] = 1 / (1 - rate);
    return tf.mul(x, tf.tensor(keep, x.shape));
  });
}
