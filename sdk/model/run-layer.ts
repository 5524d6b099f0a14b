import type { Tensor } from "@tensorflow/tfjs";
import { tf } from "../tensor/index.js";
import { crossAttention, selfAttention } from "./attention/softmax-attention.js";
import { denseBlock } from "./dense-block.js";
import { moeBlock } from "./expert/moe-block.js";
import type { LayerWeights } from "./layer-weights.js";
import { normalize } from "./norm.js";
import type { Pass } from "./pass.js";
import { layerId, type LayerSpec } from "./spec.js";

/**
 * One layer on the rows of a pass: x [N, D] -> [N, D]. Every block reads the normalised stream and adds to it;
 * a block that the spec lacks is skipped. Differentiable; knows neither training nor streaming.
 */
export function runLayer(x: Tensor, spec: LayerSpec, weights: LayerWeights, pass: Pass, stack: "encoder" | "decoder", index: number): Tensor {
  const cache = pass.caches?.[index];
  const read = (block: string) => normalize(x, spec.norm, weights, `norm.${block}`);
  if (spec.attention) x = tf.add(x, selfAttention(read("attention"), spec.attention, weights, pass, cache));
  if (spec.cross) x = tf.add(x, crossAttention(read("cross"), spec.cross, weights, pass, cache));
  if (spec.ffn?.kind === "dense") x = tf.add(x, denseBlock(read("ffn"), spec.ffn, weights));
  if (spec.ffn?.kind === "moe") x = tf.add(x, moeBlock(read("ffn"), layerId(stack, index), spec.ffn, weights, pass));
  return x;
}
