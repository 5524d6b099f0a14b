import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

/** Keeps tensors for the gradient; whatever the gradient reads must be saved, or it may be gone by then. */
export type Save = (tensors: Tensor[]) => void;

export interface Differentiable {
  value: Tensor;
  /** gradient of each input, given the gradient of the value and the saved tensors */
  gradient(dy: Tensor, saved: Tensor[]): Tensor | Tensor[];
}

/** Runs an operation that brings its own gradient with respect to `inputs` (all float32). */
export function withGradient(inputs: Tensor[], operation: (save: Save) => Differentiable): Tensor {
  const run = tf.customGrad((...args: (Tensor | tf.GradSaveFunc)[]) => {
    const { value, gradient } = operation(args[args.length - 1] as Save);
    return { value, gradFunc: gradient };
  });
  return run(...inputs);
}
