import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { withGradient } from "./with-gradient.js";

/**
 * The value of `hard` with the gradient of `soft`: a choice that training can move (arXiv:1308.3432).
 *
 * @param hard same shape as soft; gets no gradient
 */
export function straightThrough(hard: Tensor, soft: Tensor): Tensor {
  return withGradient([soft], () => ({ value: tf.clone(hard), gradient: (dy) => tf.clone(dy) }));
}

/** The same values, through which no gradient passes. */
export function stopGradient(x: Tensor): Tensor {
  return withGradient([x], () => ({ value: tf.clone(x), gradient: (dy) => tf.zerosLike(dy) }));
}
