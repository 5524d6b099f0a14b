import type { Tensor } from "@tensorflow/tfjs-core";
import { activate, takeRows, tf } from "../tensor/index.js";
import type { Rows } from "./batch.js";
import { type LayerWeights, weight } from "./held-weights.js";
import { linear } from "./linear.js";
import { normalize } from "./norm.js";
import { positions } from "./positions.js";
import type { ModelSpec } from "./spec.js";

/**
 * Token ids -> the first layer's input [N, D].
 * @param offset position of the first token
 */
export function embed(
  rows: Rows,
  spec: ModelSpec,
  top: LayerWeights,
  stack: "encoder" | "decoder",
  offset = 0,
): Tensor {
  const { embedding } = spec[stack]!;
  const prefix = stack === "encoder" ? "encoder." : "";
  const own = (name: string) => weight(top, `${prefix}${name}`);
  let x = takeRows(embedding.shared ? weight(top, "embed") : own("embed"), tf.tensor1d(rows.ids, "int32"));
  if (embedding.scale !== 1) x = tf.mul(x, embedding.scale);
  if (top.has(`${prefix}embedIn`)) x = linear(x, top, `${prefix}embedIn`);
  if (embedding.position)
    x = tf.add(x, positions(rows, embedding.position, spec.width, top.get(`${prefix}position`), offset));
  if (embedding.tokenTypes)
    x = tf.add(x, takeRows(own("tokenType"), tf.tensor1d(rows.types ?? new Int32Array(rows.ids.length), "int32")));
  return embedding.norm ? normalize(x, embedding.norm, top, `${prefix}embedNorm`) : x;
}

/** The norm after the last layer of a stack; the stream itself where there is none. */
export function finalNorm(x: Tensor, spec: ModelSpec, top: LayerWeights, stack: "encoder" | "decoder"): Tensor {
  const norm = spec[stack]!.finalNorm;
  return norm ? normalize(x, norm, top, stack === "encoder" ? "encoder.finalNorm" : "finalNorm") : x;
}

/** Normalised stream [N, D] -> logits [N, V]. */
export function head(x: Tensor, { head: spec }: ModelSpec, top: LayerWeights): Tensor {
  if (top.has("embedOut")) x = linear(x, top, "embedOut");
  if (spec.transform)
    x = normalize(activate(linear(x, top, "headTransform"), spec.transform.activation), spec.transform.norm, top,
      "headNorm");
  if (spec.scale !== 1) x = tf.mul(x, spec.scale);
  const logits = tf.matMul(x as never, weight(top, spec.tied ? "embed" : "head") as never, false, true) as Tensor;
  return spec.bias ? tf.add(logits, weight(top, "head.bias")) : logits;
}
