import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { attention, oneHot, tf } from "../../tensor/index.js";
import type { RoutedHeadsSpec } from "../attention-spec.js";
import { type LayerWeights, weight } from "../held-weights.js";
import { linear } from "../linear.js";
import type { LayerCache, Pass } from "../pass.js";
import { route } from "../router/route.js";
import { extend } from "./cache.js";
import { splitHeads } from "./heads.js";
import { applyRotary } from "./rotary.js";

/**
 * Mixture of attention heads: a router chooses K experts per token; each has its own projections of q and of the
 * output, all share keys and values. JetMoE, arXiv:2404.07413, section 2.2. x [N, D] -> [N, D].
 */
export function routedHeads(
  x: Tensor,
  spec: RoutedHeadsSpec,
  weights: LayerWeights,
  pass: Pass,
  cache?: LayerCache,
): Tensor {
  const { B, T, offset } = pass;
  const { experts: E, kvHeads: G, headDim: d, router: { topK: K } } = spec;
  const N = B * T, width = G * d;
  const logits = linear(x, weights, "attention.router") as Tensor2D;
  const { choice, gates } = route(logits, spec.router, pass);
  if (pass.look?.sites.has("heads")) pass.look.see({ site: "heads", logits, choice, gates });
  const chosen = oneHot(choice, E); // [N, K, E]; -1 is a row of zeros
  const all = tf.reshape(
    tf.matMul(x as never, tf.reshape(weight(weights, "attention.q"), [E * width, -1]) as never, false, true),
    [N, E, width],
  );
  // heads are ordered by key head first, so that a group of K reads the same key
  const q = tf.reshape(tf.transpose(tf.reshape(tf.matMul(chosen, all), [B, T, K, G, d]), [0, 3, 2, 1, 4]), [B, G * K, T,
    d]);
  const k = splitHeads(linear(x, weights, "attention.k"), B, T, G);
  const v = splitHeads(linear(x, weights, "attention.v"), B, T, G);
  const [turnedQ, turnedK] = applyRotary([q, k], spec.rotary, offset);
  const [keys, values] = extend(cache, turnedK, v);
  const y = attention(turnedQ, keys, values, { scale: spec.scale, causal: spec.causal, queryOffset: offset });
  const perChoice = tf.reshape(tf.transpose(tf.reshape(y, [B, G, K, T, d]), [0, 3, 2, 1, 4]), [N, K, width]);
  const perExpert = tf.matMul(chosen, tf.mul(perChoice, tf.expandDims(gates, 2)), true, false); // [N, E, width]
  const out = tf.reshape(tf.transpose(weight(weights, "attention.o"), [1, 0, 2]), [-1, E * width]);
  return tf.add(tf.matMul(tf.reshape(perExpert, [N, E * width]) as never, out as never, false, true) as Tensor,
    weight(weights, "attention.outputBias"));
}
