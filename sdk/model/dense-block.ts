import type { Tensor } from "@tensorflow/tfjs-core";
import { activate, tf } from "../tensor/index.js";
import type { LayerWeights } from "./held-weights.js";
import { linear } from "./linear.js";
import type { DenseFfnSpec } from "./spec.js";

/** The plain feed-forward block: down(act(up x)), or down(act(gate x) * up x) when gated. x [N, D] -> [N, D]. */
export function denseBlock(x: Tensor, spec: DenseFfnSpec, weights: LayerWeights, name = "ffn"): Tensor {
  const up = linear(x, weights, `${name}.up`);
  const hidden = spec.gated
    ? tf.mul(activate(linear(x, weights, `${name}.gate`), spec.activation), up)
    : activate(up, spec.activation);
  return linear(hidden, weights, `${name}.down`);
}
