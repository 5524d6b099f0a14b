import type { Tensor } from "@tensorflow/tfjs-core";
import { layerNorm, rmsNorm } from "../tensor/index.js";
import { type LayerWeights, weight } from "./held-weights.js";
import type { NormSpec } from "./norm-spec.js";

/** Normalises the last axis by the weights of that name. */
export function normalize(x: Tensor, spec: NormSpec, weights: LayerWeights, name: string): Tensor {
  const gain = weight(weights, name);
  return spec.kind === "rms"
    ? rmsNorm(x, gain, spec.eps, spec.offset ?? 0)
    : layerNorm(x, gain, weights.get(`${name}.bias`), spec.eps);
}
