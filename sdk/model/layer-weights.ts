import type { Tensor } from "@tensorflow/tfjs";
import type { WeightSource } from "../checkpoint/weight-source.js";
import { tf } from "../tensor/index.js";
import { expertTensors, layerTensors } from "./expected-tensors.js";
import type { ExpertSpec, LayerSpec, MoeFfnSpec } from "./spec.js";

/**
 * The weights of one layer as the blocks use them, by name without the layer's path (`attention.q`, `router`, …).
 * Experts of one form and width are stacked along a first axis S under `bank.{b}.up` and so on: see `banksOf`.
 */
export type LayerWeights = Map<string, Tensor>;

/** Experts that run as one stacked operation. */
export interface Bank { key: string; form: ExpertSpec["form"]; slots: number[] }

/** The stored experts of a layer, grouped by form and size; experts of form "zero" are in no bank. */
export function banksOf(ffn: MoeFfnSpec): Bank[] {
  const banks = new Map<string, Bank>();
  ffn.slots.forEach((slot, index) => {
    if (slot.form === "zero") return;
    const kind = `${slot.form} ${slot.width} ${slot.form === "low-rank-sparse" ? slot.rank : ""}`;
    const bank = banks.get(kind) ?? { key: `bank.${banks.size}`, form: slot.form, slots: [] };
    bank.slots.push(index);
    banks.set(kind, bank);
  });
  return [...banks.values()];
}

/** Which canonical names (without the layer's path) make up each resident tensor, and its shape. */
export function layoutOf(layer: LayerSpec, D: number): { key: string; from: string[]; shape: number[]; stacked: boolean }[] {
  const plain = layerTensors(layer, D)
    .filter(({ name }) => !name.startsWith("experts."))
    .map(({ name, shape }) => ({ key: name, from: [name], shape, stacked: false }));
  if (layer.ffn?.kind !== "moe") return plain;
  const ffn = layer.ffn;
  const stacks = banksOf(ffn).flatMap(({ key, slots }) =>
    expertTensors("", ffn.slots[slots[0]], ffn, D).map(({ name, shape }) => ({
      key: `${key}${name}`,
      from: slots.map((slot) => `experts.${slot}${name}`),
      shape: [slots.length, ...shape],
      stacked: true,
    })));
  return [...plain, ...stacks];
}

/** Reads one layer. The caller disposes it with `disposeWeights`. */
export async function readLayer(source: WeightSource, path: string, layer: LayerSpec, D: number): Promise<LayerWeights> {
  const weights: LayerWeights = new Map();
  for (const { key, from, shape, stacked } of layoutOf(layer, D)) {
    if (!stacked) {
      weights.set(key, await source.read(`${path}.${from[0]}`));
      continue;
    }
    const size = shape.slice(1).reduce((product, n) => product * n, 1);
    const all = new Float32Array(size * from.length);
    for (let slot = 0; slot < from.length; slot++) all.set(await source.values(`${path}.${from[slot]}`), slot * size);
    weights.set(key, tf.tensor(all, shape, "float32"));
  }
  return weights;
}

export function disposeWeights(weights: LayerWeights): void {
  for (const tensor of weights.values()) tensor.dispose();
  weights.clear();
}

/** @throws Error when a block asks for a weight that its spec does not list: a fault of the block */
export function weight(weights: LayerWeights, name: string): Tensor {
  const found = weights.get(name);
  if (!found) throw new Error(`the layer holds no "${name}"`);
  return found;
}
