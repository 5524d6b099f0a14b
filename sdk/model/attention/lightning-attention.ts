import type { Tensor } from "@tensorflow/tfjs-core";
import { activate, rmsNorm, tf } from "../../tensor/index.js";
import type { LightningAttentionSpec } from "../attention-spec.js";
import { type LayerWeights, weight } from "../held-weights.js";
import { linear } from "../linear.js";
import type { LayerCache, Pass } from "../pass.js";
import { remember } from "./cache.js";
import { joinHeads, splitHeads } from "./heads.js";

/** Tokens of a block meet each other by scores, earlier blocks through the state: time grows linearly with the text. */
const BLOCK = 256;

/**
 * Attention without a softmax: y_t = sum over s <= t of exp(-slope (t - s)) (q_t . k_s) v_s, normalised and gated.
 * MiniMax-01, arXiv:2501.08313, section 2.2. x [N, D] -> [N, D].
 */
export function lightningAttention(
  x: Tensor,
  spec: LightningAttentionSpec,
  weights: LayerWeights,
  { B, T }: Pass,
  cache?: LayerCache,
): Tensor {
  const { heads: H, headDim: d } = spec;
  const qkv = splitHeads(activate(linear(x, weights, "attention.qkv"), spec.activation), B, T, H);
  const [q, k, v] = tf.split(qkv, 3, 3);
  const slopes = Array.from({ length: H }, (_, h) => spec.decay * Math.pow(2, (-8 * (h + 1)) / H));
  let state: Tensor = cache?.state ?? tf.zeros([B, H, d, d]);
  const blocks: Tensor[] = [];
  for (let start = 0; start < T; start += BLOCK) {
    const n = Math.min(BLOCK, T - start);
    const part = (y: Tensor) => tf.slice(y, [0, 0, start, 0], [B, H, n, d]);
    const near = tf.mul(tf.matMul(part(q), part(k), false, true), fading(slopes, n, n, (t, s) => t - s));
    const far = tf.matMul(tf.mul(part(q), fading(slopes, n, 1, (t) => t + 1)), state);
    blocks.push(tf.add(tf.matMul(near, part(v)), far));
    const fresh = tf.matMul(tf.mul(part(k), fading(slopes, n, 1, (t) => n - 1 - t)), part(v), true, false);
    state = tf.add(tf.mul(state, fading(slopes, 1, 1, () => n)), fresh);
  }
  if (cache) remember(cache, "state", state);
  const y = rmsNorm(joinHeads(tf.concat(blocks, 2), B, T), weight(weights, "attention.norm"), spec.eps);
  return linear(tf.mul(tf.sigmoid(linear(x, weights, "attention.outputGate")), y), weights, "attention.out");
}

/** [H, rows, columns] of exp(-slope age); 0 where the age is negative, i.e. in the future */
function fading(slopes: number[], rows: number, columns: number, age: (row: number, column: number) => number): Tensor {
  const values = new Float32Array(slopes.length * rows * columns);
  let i = 0;
  for (const slope of slopes)
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++, i++)
        values[i] = age(r, c) < 0 ? 0 : Math.exp(-slope * age(r, c));
  return tf.tensor3d(values, [slopes.length, rows, columns]);
}
