import type { Tensor } from "@tensorflow/tfjs-core";
import { activate, tf } from "../../../tensor/index.js";
import type { LayerWeights } from "../../held-weights.js";
import { linear } from "../../linear.js";
import type { RouterScore } from "../../router-spec.js";

/** Two matrices with an activation between. MoE++'s code, Linear - tanh - Linear. */
export function mlpScores(
  x: Tensor,
  { activation }: Extract<RouterScore, { kind: "mlp" }>,
  weights: LayerWeights,
): Tensor {
  const hidden = linear(x, weights, "router.hidden");
  return linear(activation === "tanh" ? tf.tanh(hidden) : activate(hidden, activation), weights, "router");
}
