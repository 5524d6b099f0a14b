import type { Tensor } from "@tensorflow/tfjs-core";
import { attention, rmsNorm, tf } from "../../tensor/index.js";
import type { QkNormSpec, SoftmaxAttentionSpec } from "../attention-spec.js";
import { type LayerWeights, weight } from "../held-weights.js";
import { linear } from "../linear.js";
import { type LayerCache, MASKED, type Pass } from "../pass.js";
import { extend } from "./cache.js";
import { joinHeads, splitHeads } from "./heads.js";
import { relativeBias } from "./relative-bias.js";
import { applyRotary } from "./rotary.js";
import { showAttention } from "./show-attention.js";
import { temperatures } from "./temperatures.js";

/** Attention of a stack to itself: x [N, D] -> [N, D], N = B x T. */
export function softmaxAttention(
  x: Tensor,
  spec: SoftmaxAttentionSpec,
  weights: LayerWeights,
  pass: Pass,
  cache?: LayerCache,
): Tensor {
  const { B, T, offset } = pass;
  const { heads: H, kvHeads: G, qkNorm } = spec;
  const project = (part: string) => linear(x, weights, `attention.${part}`);
  const clipped = (y: Tensor) => (spec.clip === undefined ? y : tf.clipByValue(y, -spec.clip, spec.clip));
  const [flatQ, gate] = spec.outputGate ? withoutGate(project("q"), H) : [project("q")];
  const whole = (y: Tensor, part: "q" | "k") => (qkNorm?.over === "all" ? normed(y, part, qkNorm, weights) : y);
  let q = splitHeads(clipped(whole(flatQ, "q")), B, T, H);
  let k = splitHeads(clipped(whole(project("k"), "k")), B, T, G);
  let v = splitHeads(clipped(project("v")), B, T, G);
  const normHeads = () => [q, k] = [normed(q, "q", qkNorm!, weights), normed(k, "k", qkNorm!, weights)];
  if (qkNorm?.over === "head" && qkNorm.when === "before-rotary") normHeads();
  if (spec.rotary) [q, k] = applyRotary([q, k], spec.rotary, offset);
  if (qkNorm?.over === "head" && qkNorm.when === "after-rotary") normHeads();
  if (spec.temperature) q = tf.mul(q, temperatures(spec.temperature, T, offset));
  [k, v] = extend(cache, k, v);
  const S = k.shape[2] as number;
  if (spec.relative?.own)
    pass.bias = relativeBias(weight(weights, "attention.relativeBias"), T, S, offset, spec.relative);
  // a causal row never sees the padding on its right, so only two-sided attention masks keys
  const mask = sum(spec.relative ? pass.bias : undefined, spec.causal ? undefined : pass.keyMask,
    spec.chunk ? chunkMask(spec.chunk, T, S, offset) : undefined);
  const sinks = spec.sinks ? weight(weights, "attention.sinks") : undefined;
  const how = { scale: spec.scale, causal: spec.causal, mask, window: spec.window, queryOffset: offset, sinks };
  showAttention(q, k, how, pass);
  const y = joinHeads(attention(q, k, v, how), B, T);
  return linear(gate ? tf.mul(y, tf.sigmoid(gate)) : y, weights, "attention.o");
}

/** Attention of the decoder to the encoder's output: x [N, D] -> [N, D]. */
export function crossAttention(
  x: Tensor,
  spec: SoftmaxAttentionSpec,
  weights: LayerWeights,
  pass: Pass,
  cache?: LayerCache,
): Tensor {
  const { B, T } = pass;
  const q = splitHeads(linear(x, weights, "cross.q"), B, T, spec.heads);
  let k = cache?.crossK, v = cache?.crossV;
  if (!k || !v) {
    const memory = pass.memory as Tensor;
    const S = memory.shape[1] as number;
    const flat = tf.reshape(memory, [B * S, memory.shape[2] as number]);
    k = splitHeads(linear(flat, weights, "cross.k"), B, S, spec.kvHeads);
    v = splitHeads(linear(flat, weights, "cross.v"), B, S, spec.kvHeads);
    if (cache) [cache.crossK, cache.crossV] = [tf.keep(k), tf.keep(v)];
  }
  return linear(joinHeads(attention(q, k, v, { scale: spec.scale, mask: pass.memoryMask }), B, T), weights, "cross.o");
}

/** [N, H 2 d] -> queries [N, H d] and gates [N, H d] */
function withoutGate(x: Tensor, H: number): [Tensor, Tensor] {
  const [q, gate] = tf.split(tf.reshape(x, [x.shape[0] as number, H, -1]), 2, 2);
  return [q, gate].map((part) => tf.reshape(part, [x.shape[0] as number, -1])) as [Tensor, Tensor];
}

/** RMS norm over the last axis, with the weights qNorm or kNorm if there are any. */
function normed(x: Tensor, part: "q" | "k", { eps, gain, offset = 0 }: QkNormSpec, weights: LayerWeights): Tensor {
  return rmsNorm(x, gain ? weight(weights, `attention.${part}Norm`) : tf.ones([x.shape[x.rank - 1] as number]), eps,
    offset);
}

/** [T, S] additive: keys of other chunks are hidden. */
function chunkMask(chunk: number, T: number, S: number, offset: number): Tensor {
  const hidden = new Float32Array(T * S);
  for (let t = 0; t < T; t++) {
    const first = Math.floor((t + offset) / chunk) * chunk;
    hidden.fill(MASKED, t * S, t * S + Math.min(first, S));
  }
  return tf.tensor2d(hidden, [T, S]);
}

function sum(...masks: (Tensor | undefined)[]): Tensor | undefined {
  const present = masks.filter((mask): mask is Tensor => mask !== undefined);
  return present.length ? present.reduce((a, b) => tf.add(a, b)) : undefined;
}
