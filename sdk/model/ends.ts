import type { Tensor } from "@tensorflow/tfjs";
import { takeRows, tf } from "../tensor/index.js";
import type { Rows } from "./batch.js";
import { weight, type LayerWeights } from "./layer-weights.js";
import { normalize } from "./norm.js";
import type { ModelSpec } from "./spec.js";

/** Token ids -> the first layer's input [N, D]. */
export function embed(rows: Rows, spec: ModelSpec, top: LayerWeights, stack: "encoder" | "decoder"): Tensor {
  const part = spec[stack]!;
  const table = weight(top, stack === "encoder" && !part.embedding.shared ? "encoder.embed" : "embed");
  const x = takeRows(table, tf.tensor1d(rows.ids, "int32"));
  return part.embedding.scale === 1 ? x : tf.mul(x, part.embedding.scale);
}

/** The norm after the last layer of a stack; the stream itself where there is none. */
export function finalNorm(x: Tensor, spec: ModelSpec, top: LayerWeights, stack: "encoder" | "decoder"): Tensor {
  const norm = spec[stack]!.finalNorm;
  return norm ? normalize(x, norm, top, stack === "encoder" ? "encoder.finalNorm" : "finalNorm") : x;
}

/** Normalised stream [N, D] -> logits [N, V]. */
export function head(x: Tensor, spec: ModelSpec, top: LayerWeights): Tensor {
  const scaled = spec.head.scale === 1 ? x : tf.mul(x, spec.head.scale);
  const logits = tf.matMul(scaled as never, weight(top, spec.head.tied ? "embed" : "head") as never, false, true) as Tensor;
  return spec.head.bias ? tf.add(logits, weight(top, "head.bias")) : logits;
}
