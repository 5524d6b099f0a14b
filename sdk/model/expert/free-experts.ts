import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { oneHot, tf } from "../../tensor/index.js";
import { type LayerWeights, weight } from "../held-weights.js";
import type { Routing } from "../router/route.js";
import { isFree, type MoeFfnSpec } from "../spec.js";
import { placeIn } from "./place-in.js";

/**
 * What the chosen copies and constants add: sum over them of gate times output, [N, D]; undefined where a layer has
 * none. Copies count together as a share of x, constants as one product of their gates with their stacked vectors.
 */
export function freeExperts(
  x: Tensor,
  { choice, gates }: Routing,
  spec: MoeFfnSpec,
  weights: LayerWeights,
): Tensor | undefined {
  const slots = spec.slots.flatMap((slot, index) => (isFree(slot) && slot.form !== "zero" ? [index] : []));
  if (slots.length === 0) return undefined;
  // [N, slots] sum of the gates of each
  const mass = tf.sum(tf.mul(oneHot(placeIn({ slots }, choice, spec), slots.length), tf.expandDims(gates, -1)), 1);
  const columns = tf.split(mass, slots.length, 1);
  const copied: Tensor[] = [], constant: Tensor[] = [], values: Tensor[] = [];
  for (const [at, slot] of slots.entries()) {
    const parts = shares(x, slot, spec, weights);
    if (parts.copy) copied.push(parts.copy === 1 ? columns[at] : tf.mul(columns[at], parts.copy));
    if (!parts.constant) continue;
    constant.push(parts.constant === 1 ? columns[at] : tf.mul(columns[at], parts.constant));
    values.push(weight(weights, `experts.${slot}.value`));
  }
  const sums = [...(copied.length ? [tf.mul(x, tf.addN(copied))] : []),
    ...(constant.length ? [tf.matMul(tf.concat(constant, 1) as Tensor2D, tf.stack(values) as Tensor2D)] : [])];
  return sums.length === 1 ? sums[0] : tf.addN(sums);
}

/** A free expert alone on any rows [M, D]. */
export function runFree(x: Tensor, slot: number, spec: MoeFfnSpec, weights: LayerWeights): Tensor {
  return tf.tidy(() => {
    const { copy, constant } = shares(x, slot, spec, weights);
    const copied = copy ? tf.mul(x, copy) : tf.zerosLike(x);
    return constant ? tf.add(copied, tf.mul(weight(weights, `experts.${slot}.value`), constant)) : copied;
  });
}

/** Which part of x a free expert gives, and which of its vector: numbers, or [M, 1] */
function shares(
  x: Tensor,
  slot: number,
  { slots }: MoeFfnSpec,
  weights: LayerWeights,
): { copy?: Tensor | number; constant?: Tensor | number } {
  const expert = slots[slot];
  if (expert.form === "copy") return { copy: 1 };
  if (expert.form !== "constant") return {};
  if (!expert.blend) return { constant: 1 };
  const blend = tf.softmax(tf.matMul(x as Tensor2D, weight(weights, `experts.${slot}.blend`) as Tensor2D, false, true));
  const [copy, constant] = tf.split(blend, 2, 1);
  return { copy, constant };
}
