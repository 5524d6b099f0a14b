import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { fused } from "../fused.js";
import { safeSoftmax } from "./safe-softmax.js";

export interface AttentionOptions {
  /** multiplies q k^T */
  scale: number;
  /** a position sees itself and what is before it */
  causal?: boolean;
  /** added to the scores, broadcastable to [B, H, T, S]; -Infinity or about -1e9 hides */
  mask?: Tensor;
  /** with `causal`: a position sees itself and the window - 1 before it */
  window?: number;
  /** [H], scores of a position that takes attention and gives nothing */
  sinks?: Tensor;
  /** position of the first query among the keys, for decoding with cached keys; 0 by default */
  queryOffset?: number;
}

/**
 * Scaled dot-product attention with grouped heads: head h reads key head `floor(h * G / H)`.
 * A query that sees nothing gets zeros.
 *
 * @param q [B, H, T, d]
 * @param k [B, G, S, d], G divides H
 * @param v [B, G, S, e]
 * @returns [B, H, T, e]
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
  return tf.tidy(() => {
    const { scale, sinks, window, queryOffset = 0, causal = false } = options;
    const plain = !sinks && window === undefined && queryOffset === 0;
    if (plain && fused.attention) return fused.attention(q, k, v, { scale, causal, mask: options.mask });
    const mask = fullMask(q.shape[2]!, k.shape[2]!, options);
    if (!sinks && fused.attention) return fused.attention(q, k, v, { scale, causal: false, mask });
    return composed(q, k, v, scale, mask, sinks);
  });
}

/** How much each query attends to each key, [B, H, T, S]: what `attention` multiplies values by. */
export function attentionWeights(q: Tensor, k: Tensor, options: AttentionOptions): Tensor {
  return tf.tidy(() => weightsOf(q, k, options.scale, fullMask(q.shape[2]!, k.shape[2]!, options), options.sinks));
}

function composed(q: Tensor, k: Tensor, v: Tensor, scale: number, mask?: Tensor, sinks?: Tensor): Tensor {
  const [B, H, T] = q.shape as [number, number, number];
  const [, G, S] = k.shape as [number, number, number];
  const weights = tf.reshape(weightsOf(q, k, scale, mask, sinks), [B, G, (H / G) * T, S]);
  return tf.reshape(tf.matMul(weights, v), [B, H, T, v.shape[3]!]);
}

function weightsOf(q: Tensor, k: Tensor, scale: number, mask?: Tensor, sinks?: Tensor): Tensor {
  const [B, H, T, d] = q.shape as [number, number, number, number];
  const [, G, S] = k.shape as [number, number, number, number];
  // the queries of a group share its keys: one product per group
  const grouped = tf.reshape(tf.mul(q, scale), [B, G, (H / G) * T, d]);
  let scores = tf.reshape(tf.matMul(grouped, k, false, true), [B, H, T, S]);
  if (mask) scores = tf.add(scores, mask);
  return sinks ? softmaxWithSinks(scores, sinks) : safeSoftmax(scores);
}

function softmaxWithSinks(scores: Tensor, sinks: Tensor): Tensor {
  const [B, H, T, S] = scores.shape as [number, number, number, number];
  const column = tf.add(tf.zeros([B, H, T, 1]), tf.reshape(sinks, [1, H, 1, 1]));
  return tf.slice(safeSoftmax(tf.concat([scores, column], 3)), [0, 0, 0, 0], [B, H, T, S]);
}

/** The causal, window and additive masks as one, or undefined when nothing is hidden. */
function fullMask(T: number, S: number, { causal, window, mask, queryOffset = 0 }: AttentionOptions):
  | Tensor
  | undefined {
  const seesAll = !causal || (T === 1 && queryOffset >= S - 1 && (window === undefined || window > queryOffset));
  if (seesAll) return mask;
  const hidden = new Float32Array(T * S);
  for (let t = 0; t < T; t++) {
    const position = t + queryOffset;
    const first = window === undefined ? 0 : Math.max(0, position - window + 1);
    hidden.fill(-1e9, t * S, t * S + Math.min(first, S));
    hidden.fill(-1e9, t * S + Math.min(position + 1, S), (t + 1) * S);
  }
  const past = tf.tensor2d(hidden, [T, S]);
  return mask ? tf.add(mask, past) : past;
}
