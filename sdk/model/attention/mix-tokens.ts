import type { Tensor } from "@tensorflow/tfjs-core";
import type { AttentionSpec } from "../attention-spec.js";
import type { LayerWeights } from "../held-weights.js";
import type { LayerCache, Pass } from "../pass.js";
import { deltaAttention } from "./delta-attention.js";
import { latentAttention } from "./latent-attention.js";
import { lightningAttention } from "./lightning-attention.js";
import { mamba2 } from "./mamba-2.js";
import { mamba } from "./mamba.js";
import { routedHeads } from "./routed-heads.js";
import { shortConvolution } from "./short-convolution.js";
import { softmaxAttention } from "./softmax-attention.js";

/** The block of a layer in which tokens meet, by its kind: x [N, D] -> [N, D]. */
export function mixTokens(
  x: Tensor,
  spec: AttentionSpec,
  weights: LayerWeights,
  pass: Pass,
  cache?: LayerCache,
): Tensor {
  switch (spec.kind) {
    case "softmax":
      return softmaxAttention(x, spec, weights, pass, cache);
    case "latent":
      return latentAttention(x, spec, weights, pass, cache);
    case "lightning":
      return lightningAttention(x, spec, weights, pass, cache);
    case "delta":
      return deltaAttention(x, spec, weights, pass, cache);
    case "routed-heads":
      return routedHeads(x, spec, weights, pass, cache);
    case "convolution":
      return shortConvolution(x, weights, pass, cache);
    case "mamba":
      return mamba(x, spec, weights, pass, cache);
    case "mamba-2":
      return mamba2(x, spec, weights, pass, cache);
  }
}
