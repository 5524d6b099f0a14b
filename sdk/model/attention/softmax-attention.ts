import type { Tensor } from "@tensorflow/tfjs";
import { attention, rotate, tf } from "../../tensor/index.js";
import { weight, type LayerWeights } from "../layer-weights.js";
import { linear } from "../linear.js";
import type { LayerCache, Pass } from "../pass.js";
import type { AttentionSpec } from "../spec.js";
import { relativeBias } from "./relative-bias.js";
import { rotaryTable } from "./rotary.js";

/** Attention of a stack to itself: x [N, D] -> [N, D], N = B x T. */
export function selfAttention(x: Tensor, spec: AttentionSpec, weights: LayerWeights, pass: Pass, cache?: LayerCache): Tensor {
  const { B, T, offset } = pass;
  let q = heads(linear(x, weights, "attention.q"), B, T, spec.heads);
  let k = heads(linear(x, weights, "attention.k"), B, T, spec.kvHeads);
  let v = heads(linear(x, weights, "attention.v"), B, T, spec.kvHeads);
  if (spec.rotary) {
    const { cos, sin } = rotaryTable(spec.rotary, T, offset);
    q = rotate(q, cos, sin, { interleaved: spec.rotary.interleaved });
    k = rotate(k, cos, sin, { interleaved: spec.rotary.interleaved });
  }
  if (cache) [k, v] = extend(cache, k, v);
  const S = k.shape[2] as number;
  if (spec.relative?.own) pass.bias = relativeBias(weight(weights, "attention.relativeBias"), T, S, offset, spec.relative);
  // a causal row never sees the padding on its right, so only two-sided attention masks keys
  const mask = sum(spec.relative ? pass.bias : undefined, spec.causal ? undefined : pass.keyMask);
  const y = attention(q, k, v, { scale: spec.scale, causal: spec.causal, mask, window: spec.window, queryOffset: offset });
  return linear(rows(y, B, T), weights, "attention.o");
}

/** Attention of the decoder to the encoder's output: x [N, D] -> [N, D]. */
export function crossAttention(x: Tensor, spec: AttentionSpec, weights: LayerWeights, pass: Pass, cache?: LayerCache): Tensor {
  const { B, T } = pass;
  const q = heads(linear(x, weights, "cross.q"), B, T, spec.heads);
  let k = cache?.crossK, v = cache?.crossV;
  if (!k || !v) {
    const memory = pass.memory as Tensor;
    const S = memory.shape[1] as number;
    const flat = tf.reshape(memory, [B * S, memory.shape[2] as number]);
    k = heads(linear(flat, weights, "cross.k"), B, S, spec.kvHeads);
    v = heads(linear(flat, weights, "cross.v"), B, S, spec.kvHeads);
    if (cache) [cache.crossK, cache.crossV] = [tf.keep(k), tf.keep(v)];
  }
  return linear(rows(attention(q, k, v, { scale: spec.scale, mask: pass.memoryMask }), B, T), weights, "cross.o");
}

/** [N, H d] -> [B, H, T, d] */
function heads(x: Tensor, B: number, T: number, H: number): Tensor {
  return tf.transpose(tf.reshape(x, [B, T, H, -1]), [0, 2, 1, 3]);
}

/** [B, H, T, d] -> [N, H d] */
function rows(x: Tensor, B: number, T: number): Tensor {
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [B * T, -1]);
}

function sum(a?: Tensor, b?: Tensor): Tensor | undefined {
  return a && b ? tf.add(a, b) : (a ?? b);
}

/** Appends this pass to the cache and gives all keys and values so far [B, G, S, d]. */
function extend(cache: LayerCache, k: Tensor, v: Tensor): [Tensor, Tensor] {
  const all = [cache.k ? tf.concat([cache.k, k], 2) : tf.clone(k), cache.v ? tf.concat([cache.v, v], 2) : tf.clone(v)] as [Tensor, Tensor];
  cache.k?.dispose();
  cache.v?.dispose();
  [cache.k, cache.v] = [tf.keep(all[0]), tf.keep(all[1])];
  return all;
}
