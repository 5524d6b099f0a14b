import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { tf } from "../tensor/index.js";
import { assign } from "../tensor/linalg/assign.js";

/** The matrices of one expert: up and gate [F, D], down [D, F]. */
export interface ExpertMatrices {
  up: Tensor2D;
  gate?: Tensor2D;
  down: Tensor2D;
}

/**
 * Finds the order of one expert's hidden neurons that fits another expert best (arXiv:2209.04836, section 3):
 * the assignment that maximises the sum of `C[a, perm[a]]`, with
 * `C = up_r up_t^T (+ gate_r gate_t^T) + down_r^T down_t`, which is the smallest squared distance of the weights.
 *
 * @param reference whose order is kept
 * @param target whose neuron perm[a] takes place a: rows of up and gate, columns of down
 * @returns perm, F neuron indices
 */
export function weightMatching(reference: ExpertMatrices, target: ExpertMatrices): Promise<number[]> {
  const { gate } = target;
  return bestOrder([() => tf.matMul(reference.up, target.up, false, true),
    () => tf.matMul(reference.down, target.down, true, false),
    ...(reference.gate && gate ? [() => tf.matMul(reference.gate!, gate, false, true)] : [])]);
}

/** The assignment that maximises the sum of products [F, F], which are made one after the other. */
export async function bestOrder(products: readonly (() => Tensor)[]): Promise<number[]> {
  let score = products[0]();
  for (const product of products.slice(1)) {
    const next = product();
    const sum = tf.add(score, next);
    tf.dispose([score, next]);
    score = sum;
  }
  const values = (await score.data()) as Float32Array;
  const [size] = score.shape;
  score.dispose();
  return Array.from(assign(values, size, { maximize: true }));
}
