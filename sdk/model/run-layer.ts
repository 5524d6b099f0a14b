import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { tf } from "../tensor/index.js";
import { mixTokens } from "./attention/mix-tokens.js";
import { crossAttention } from "./attention/softmax-attention.js";
import { denseBlock } from "./dense-block.js";
import { moeBlock } from "./expert/moe-block.js";
import type { LayerWeights } from "./held-weights.js";
import { normalize } from "./norm.js";
import type { Pass } from "./pass.js";
import { layerId, type LayerSpec, type ResidualFactors } from "./spec.js";

/**
 * One layer on the rows of a pass: x [N, D] -> [N, D]. Every block reads the stream and adds to it, with its norm
 * where the spec says; a block that the spec lacks is skipped. Differentiable; knows neither training nor streaming.
 */
export function runLayer(
  x: Tensor,
  spec: LayerSpec,
  weights: LayerWeights,
  pass: Pass,
  stack: "encoder" | "decoder",
  index: number,
): Tensor {
  const { ffn } = spec;
  const mixed = runMixers(x, spec, weights, pass, index);
  if (pass.look?.sites.has("stream")) pass.look.see({ site: "stream", at: "mixed", x: mixed as Tensor2D });
  if (!ffn) return mixed;
  const y = blockInput(mixed, spec, weights, "ffn");
  const id = layerId(stack, index);
  const made = ffn.kind === "dense" ? denseBlock(y, ffn, weights) : moeBlock(y, id, ffn, weights, pass);
  return addBlock(mixed, y, pass.probe?.(id, made) ?? made, spec, weights, "ffn");
}

/** The blocks of a layer in which tokens meet: those before its feed-forward block. */
export function runMixers(x: Tensor, spec: LayerSpec, weights: LayerWeights, pass: Pass, index: number): Tensor {
  const cache = pass.caches?.[index];
  const { attention, cross } = spec;
  if (attention) {
    const y = blockInput(x, spec, weights, "attention");
    x = addBlock(x, y, mixTokens(y, attention, weights, pass, cache), spec, weights, "attention");
  }
  if (cross) {
    const y = blockInput(x, spec, weights, "cross");
    x = addBlock(x, y, crossAttention(y, cross, weights, pass, cache), spec, weights, "cross");
  }
  return x;
}

type Block = "attention" | "cross" | "ffn";

/** What a block reads of the stream x. */
export function blockInput(
  x: Tensor,
  { normPlace = "before", norm }: LayerSpec,
  weights: LayerWeights,
  block: Block,
): Tensor {
  return normPlace === "before" ? normalize(x, norm, weights, `norm.${block}`) : x;
}

/** The stream x with what a block made of its input. */
export function addBlock(
  x: Tensor,
  input: Tensor,
  made: Tensor,
  spec: LayerSpec,
  weights: LayerWeights,
  block: Block,
): Tensor {
  const { normPlace = "before", residual } = spec;
  const norm = (y: Tensor) => normalize(y, spec.norm, weights, `norm.${block}`);
  const factors = block === "cross" ? undefined : residual?.[block];
  const sum = tf.add(times(residual?.base === "normed" ? input : x, factors, "stream"),
    times(normPlace === "output" ? norm(made) : made, factors, "block"));
  return normPlace === "after" ? norm(sum) : sum;
}

function times(x: Tensor, factors: ResidualFactors | undefined, part: keyof ResidualFactors): Tensor {
  return factors && factors[part] !== 1 ? tf.mul(x, factors[part]) : x;
}
