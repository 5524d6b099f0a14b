import type { Tensor } from "@tensorflow/tfjs-core";
import { tf } from "../tensor/index.js";
import { applyForm } from "./form/forms.js";
import { type LayerWeights, weight } from "./held-weights.js";

/** x [N, in] -> [N, out] by the matrix of that name or what stands in its place, and its bias if there is one. */
export function linear(x: Tensor, weights: LayerWeights, name: string): Tensor {
  weights.onInput?.(name, x);
  const formed = weights.maps?.[name];
  const product = formed
    ? applyForm(x, formed.form, (suffix) => weight(weights, name + suffix), formed.shape)
    : tf.matMul(x as never, weight(weights, name) as never, false, true) as Tensor;
  const bias = weights.get(`${name}.bias`);
  return bias ? tf.add(product, bias) : product;
}
