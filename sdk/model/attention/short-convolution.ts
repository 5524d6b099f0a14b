import type { Tensor } from "@tensorflow/tfjs-core";
import { tf } from "../../tensor/index.js";
import type { LayerWeights } from "../held-weights.js";
import { linear } from "../linear.js";
import type { LayerCache, Pass } from "../pass.js";
import { causalConvolution } from "./causal-convolution.js";

/** Gated short convolution: out (c * convolution(b * x)), with b, c and x made from the stream. x [N, D] -> [N, D]. */
export function shortConvolution(x: Tensor, weights: LayerWeights, { B, T }: Pass, cache?: LayerCache): Tensor {
  const [b, c, input] = tf.split(tf.reshape(linear(x, weights, "attention.in"), [B, T, -1]), 3, 2);
  const y = tf.mul(c, causalConvolution(tf.mul(b, input), weights, "attention.convolution", cache));
  return linear(tf.reshape(y, [B * T, -1]), weights, "attention.out");
}
