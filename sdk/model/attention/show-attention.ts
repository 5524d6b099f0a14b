import type { Tensor } from "@tensorflow/tfjs-core";
import { type AttentionOptions, attentionWeights, tf } from "../../tensor/index.js";
import type { Pass } from "../pass.js";

/** Shows who looks at attention how much of it each token of a pass gets from the real tokens of its row. */
export function showAttention(q: Tensor, k: Tensor, options: AttentionOptions, { B, T, real, look }: Pass): void {
  if (!look?.sites.has("attention")) return;
  const received = tf.tidy(() => {
    const weights = tf.mean(attentionWeights(q, k, options), 1);
    const asked = real ? tf.mul(weights, tf.tensor3d(Float32Array.from(real), [B, T, 1])) : weights;
    return tf.reshape(tf.sum(asked, 1), [-1]);
  });
  look.see({ site: "attention", received });
}
