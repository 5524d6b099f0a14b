import type { Tensor } from "@tensorflow/tfjs-core";
import type { Shape } from "./form/form.js";
import type { MatrixForm } from "./form/matrix-form.js";

/**
 * The weights of one layer as the blocks use them, by name without the layer's path (`attention.q`, `router`, …).
 * Experts of one form and width are stacked along a first axis S under `bank.{b}.up` and so on: see `banksOf`.
 */
export type LayerWeights = Map<string, Tensor> & {
  /** sees what a matrix is about to multiply */
  onInput?(name: string, x: Tensor): void;
  /** what stands in the place of matrices outside the banks, by name: their tensors have its suffixes */
  maps?: Readonly<Record<string, { form: MatrixForm; shape: Shape }>>;
};

export function disposeWeights(weights: LayerWeights): void {
  for (const tensor of weights.values()) tensor.dispose();
  weights.clear();
}

/** @throws Error when a block asks for a weight that its spec does not list: a fault of the block */
export function weight(weights: LayerWeights, name: string): Tensor {
  const found = weights.get(name);
  if (!found) throw new Error(`the layer holds no "${name}"`);
  return found;
}
