import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import { fused } from "../fused.js";

export interface AdamWOptions {
  lr: number;
  beta1: number;
  beta2: number;
  /** added to the root of the second moment */
  eps: number;
  /** decoupled weight decay of each parameter */
  decay: number[];
  /** largest norm of all gradients together: larger ones are scaled down to it; 0 and undefined set no limit */
  clip?: number;
}

/**
 * One AdamW step over all parameters, in place. A parameter whose gradient is null stays as it is,
 * moments and decay included. Follows algorithm 2 of arXiv:1711.05101.
 *
 * @param first first moments, shaped like the parameters
 * @param second second moments
 * @param step 1 for the first
 */
export function adamW(
  params: Variable[],
  grads: (Tensor | null)[],
  first: Variable[],
  second: Variable[],
  step: number,
  options: AdamWOptions,
): void {
  const present = params.map((_, i) => i).filter((i) => grads[i]);
  const decay = present.map((i) => options.decay[i]);
  const pick = <T>(all: T[]) => present.map((i) => all[i]);
  if (fused.adamW) {
    fused.adamW(pick(params), pick(grads) as Tensor[], pick(first), pick(second), step, { ...options, decay });
    return;
  }
  const { lr, beta1, beta2, eps } = options;
  const factor = clipFactor(pick(grads) as Tensor[], options.clip);
  const unbias1 = 1 - beta1 ** step;
  const unbias2 = 1 - beta2 ** step;
  for (const i of present) {
    tf.tidy(() => {
      const grad = factor ? tf.mul(grads[i]!, factor) : grads[i]!;
      const m = tf.add(tf.mul(first[i], beta1), tf.mul(grad, 1 - beta1));
      const v = tf.add(tf.mul(second[i], beta2), tf.mul(tf.square(grad), 1 - beta2));
      const move = tf.div(m, tf.add(tf.sqrt(tf.mul(v, 1 / unbias2)), eps));
      first[i].assign(m);
      second[i].assign(v);
      params[i].assign(tf.sub(tf.mul(params[i], 1 - lr * options.decay[i]), tf.mul(move, lr / unbias1)));
    });
  }
  factor?.dispose();
}

/** What brings gradients down to the largest norm, a scalar; none without a limit. */
function clipFactor(grads: Tensor[], clip?: number): Tensor | undefined {
  if (!clip) return undefined;
  return tf.tidy(() => {
    const norm = tf.sqrt(tf.addN(grads.map((grad) => tf.sum(tf.square(grad)))));
    return tf.minimum(tf.div(clip, tf.maximum(norm, 1e-12)), 1);
  });
}
