import type { Tensor } from "@tensorflow/tfjs-core";
import { activate, rmsNorm, tf } from "../../tensor/index.js";
import type { DeltaAttentionSpec } from "../attention-spec.js";
import { type LayerWeights, weight } from "../held-weights.js";
import { linear } from "../linear.js";
import type { LayerCache, Pass } from "../pass.js";
import { remember } from "./cache.js";
import { causalConvolution } from "./causal-convolution.js";
import { repeatHeads } from "./heads.js";

/**
 * Gated DeltaNet: a state per head fades, forgets what the present key would recall, and stores the present value.
 *   S_t = a_t S_(t-1) + b_t k_t (v_t - a_t S_(t-1)^T k_t)^T,  y_t = S_t^T q_t
 * arXiv:2412.06464, equation 10. Keys and queries have length 1 and come, as the values do, through a short
 * convolution.
 * x [N, D] -> [N, D]; token by token, so time is linear in T.
 */
export function deltaAttention(
  x: Tensor,
  spec: DeltaAttentionSpec,
  weights: LayerWeights,
  { B, T }: Pass,
  cache?: LayerCache,
): Tensor {
  const { keyHeads: G, valueHeads: H, keyDim, valueDim } = spec;
  const perKey = H / G;
  const { qkv, z, b, a } = projections(x, spec, weights, B, T);
  const mixed = causalConvolution(qkv, weights, "attention.convolution", cache);
  const [q1, k1, v1] = tf.split(activate(mixed, spec.activation), [G * keyDim, G * keyDim, H * valueDim], 2);
  const q = tf.mul(repeatHeads(unit(q1, spec), perKey), Math.pow(keyDim, -0.5));
  const k = repeatHeads(unit(k1, spec), perKey);
  const v = tf.reshape(v1, [B, T, H, valueDim]);
  const store = tf.sigmoid(b);
  const fade = tf.exp(
    tf.neg(
      tf.mul(tf.exp(weight(weights, "attention.logDecay")),
        tf.softplus(tf.add(a, weight(weights, "attention.stepBias")))),
    ),
  );

  let state: Tensor = cache?.state ?? tf.zeros([B, H, keyDim, valueDim]);
  const outputs: Tensor[] = [];
  for (let t = 0; t < T; t++) {
    const at = (y: Tensor, rows: number, columns: number) =>
      tf.reshape(tf.slice(y, [0, t], [B, 1]), [B, H, rows, columns]);
    const key = at(k, 1, keyDim);
    state = tf.mul(state, at(fade, 1, 1));
    const news = tf.mul(tf.sub(at(v, 1, valueDim), tf.matMul(key, state)), at(store, 1, 1));
    state = tf.add(state, tf.matMul(key, news, true, false));
    outputs.push(tf.matMul(at(q, 1, keyDim), state)); // [B, H, 1, valueDim]
  }
  if (cache) remember(cache, "state", state);
  const y = rmsNorm(tf.reshape(tf.transpose(tf.concat(outputs, 2), [0, 2, 1, 3]), [B * T * H, valueDim]),
    weight(weights, "attention.norm"), spec.eps);
  const gated = tf.mul(y, activate(tf.reshape(z, [B * T * H, valueDim]), "silu"));
  return linear(tf.reshape(gated, [B * T, H * valueDim]), weights, "attention.out");
}

/** Queries, keys and values in a row [B, T, 2 G keyDim + H valueDim], output gates, and b and a [B, T, H]. */
function projections(x: Tensor, spec: DeltaAttentionSpec, weights: LayerWeights, B: number, T: number) {
  const { keyHeads: G, valueHeads: H, keyDim, valueDim } = spec;
  const project = (part: string) => linear(x, weights, `attention.${part}`);
  const row = (part: Tensor) => tf.reshape(part, [B, T, -1]);
  if (spec.projections === "apart")
    return { qkv: row(project("qkv")), z: project("z"), b: row(project("b")), a: row(project("a")) };
  // the stored rows are grouped by key head: q, k, then the values and output gates of its value heads
  const values = (H / G) * valueDim;
  const [q, k, v, z] = tf.split(tf.reshape(project("qkvz"), [B, T, G, -1]), [keyDim, keyDim, values, values], 3);
  const [b, a] = tf.split(tf.reshape(project("ba"), [B, T, G, -1]), 2, 3).map(row);
  return { qkv: tf.concat([q, k, v].map(row), 2), z, b, a };
}

/** [B, T, G d] -> [B, T, G, d] with vectors of length 1 */
function unit(x: Tensor, { keyHeads, keyDim }: DeltaAttentionSpec): Tensor {
  const [B, T] = x.shape as [number, number];
  const y = tf.reshape(x, [B, T, keyHeads, keyDim]);
  return tf.mul(y, tf.rsqrt(tf.add(tf.sum(tf.square(y), 3, true), 1e-6)));
}
