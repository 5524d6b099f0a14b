import type { Tensor } from "@tensorflow/tfjs-core";
import { tf } from "../tensor/index.js";
import { type LayerWeights, weight } from "./layer-weights.js";

/** x [N, in] -> [N, out] by the matrix [out, in] of that name, and its bias if the layer holds one. */
export function linear(x: Tensor, weights: LayerWeights, name: string): Tensor {
  weights.onInput?.(name, x);
  const product = tf.matMul(x as never, weight(weights, name) as never, false, true) as Tensor;
  const bias = weights.get(`${name}.bias`);
  return bias ? tf.add(product, bias) : product;
}
