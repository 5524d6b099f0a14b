import type { Tensor } from "@tensorflow/tfjs-core";
import { tf } from "../../tensor/index.js";
import type { LayerCache } from "../pass.js";

/** Puts a tensor into the cache in place of the earlier one; it outlives the layer's tidy. */
export function remember(cache: LayerCache, key: keyof LayerCache, value: Tensor): Tensor {
  // a clone, because the tidy around the layer would dispose a tensor that is also its input
  const kept = tf.keep(tf.clone(value));
  cache[key]?.dispose();
  cache[key] = kept;
  return kept;
}

/** Appends keys and values of this pass and gives all so far [B, G, S, d]. */
export function extend(cache: LayerCache | undefined, k: Tensor, v: Tensor): [Tensor, Tensor] {
  if (!cache) return [k, v];
  return [remember(cache, "k", cache.k ? tf.concat([cache.k, k], 2) : k),
    remember(cache, "v", cache.v ? tf.concat([cache.v, v], 2) : v)];
}
