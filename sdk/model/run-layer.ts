import type { Tensor } from "@tensorflow/tfjs";
import { tf } from "../tensor/index.js";
import { mixTokens } from "./attention/mix-tokens.js";
import { crossAttention } from "./attention/softmax-attention.js";
import { denseBlock } from "./dense-block.js";
import { moeBlock } from "./expert/moe-block.js";
import type { LayerWeights } from "./layer-weights.js";
import { normalize } from "./norm.js";
import type { Pass } from "./pass.js";
import { layerId, type LayerSpec, type ResidualFactors } from "./spec.js";

/**
 * One layer on the rows of a pass: x [N, D] -> [N, D]. Every block reads the stream and adds to it, with its norm
 * where the spec says; a block that the spec lacks is skipped. Differentiable; knows neither training nor streaming.
 */
export function runLayer(x: Tensor, spec: LayerSpec, weights: LayerWeights, pass: Pass, stack: "encoder" | "decoder", index: number): Tensor {
  const cache = pass.caches?.[index];
  const { normPlace = "before", residual } = spec;
  const add = (block: "attention" | "cross" | "ffn", run: (y: Tensor) => Tensor) => {
    const norm = (y: Tensor) => normalize(y, spec.norm, weights, `norm.${block}`);
    const read = normPlace === "before" ? norm(x) : x;
    const made = normPlace === "output" ? norm(run(read)) : run(read);
    const factors = block === "cross" ? undefined : residual?.[block];
    const sum = tf.add(times(residual?.base === "normed" ? read : x, factors, "stream"), times(made, factors, "block"));
    x = normPlace === "after" ? norm(sum) : sum;
  };
  const { attention, cross, ffn } = spec;
  if (attention) add("attention", (y) => mixTokens(y, attention, weights, pass, cache));
  if (cross) add("cross", (y) => crossAttention(y, cross, weights, pass, cache));
  if (ffn) add("ffn", (y) => (ffn.kind === "dense" ? denseBlock(y, ffn, weights) : moeBlock(y, layerId(stack, index), ffn, weights, pass)));
  return x;
}

function times(x: Tensor, factors: ResidualFactors | undefined, part: keyof ResidualFactors): Tensor {
  return factors && factors[part] !== 1 ? tf.mul(x, factors[part]) : x;
}
