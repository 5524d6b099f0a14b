import { fillTensor } from "../tensor/filling.js";
import type { ExpectedTensor } from "./expected-tensor.js";
import { expertTensors, layerTensors, mapShapes } from "./expected-tensors.js";
import { expertShape, heldLayer } from "./form/formed-matrices.js";
import { heldForm, readHeld } from "./form/forms.js";
import { readRemainder } from "./form/low-rank-sparse.js";
import { disposeWeights, type LayerWeights } from "./held-weights.js";
import { putNumbers, putWeight } from "./read-weight.js";
import { type DenseExpertSpec, isFree, latentWidth, type LayerSpec, type MoeFfnSpec } from "./spec.js";
import type { WeightSource } from "./weight-source.js";

/** Experts that run as one stacked operation; `expert` is each of them, its matrices as they lie on the device. */
export interface Bank {
  key: string;
  expert: DenseExpertSpec;
  slots: number[];
}

/**
 * The stored experts of a layer, grouped by form and size; free experts are in no bank.
 *
 * @param D model width
 */
export function banksOf(ffn: Pick<MoeFfnSpec, "slots" | "latent">, D: number): Bank[] {
  const found = new Map<string, Bank>();
  ffn.slots.forEach((slot, index) => {
    if (isFree(slot)) return;
    const expert = heldExpert(slot, latentWidth(ffn, D));
    const kind = expert.maps ? JSON.stringify(expert) : String(expert.width);
    const bank = found.get(kind) ?? { key: `bank.${found.size}`, expert, slots: [] };
    bank.slots.push(index);
    found.set(kind, bank);
  });
  return [...found.values()];
}

function heldExpert(slot: DenseExpertSpec, D: number): DenseExpertSpec {
  if (!slot.maps) return slot;
  return { ...slot,
    maps: Object.fromEntries(
      Object.entries(slot.maps).map(([matrix, form]) => [matrix, heldForm(form, expertShape(matrix, slot.width, D))]),
    ) };
}

/**
 * Banks of some experts each, so that a group takes at most `sizeBytes` on the device, or is one expert that is larger.
 */
export function expertGroups(ffn: MoeFfnSpec, D: number, sizeBytes: number): Bank[] {
  return banksOf(ffn, D).flatMap((bank) => {
    const oneBytes = 4 * expertTensors("", bank.expert, ffn, D).reduce((sum, { shape }) => sum + size(shape), 0);
    const count = Math.max(1, Math.floor(sizeBytes / oneBytes));
    return Array.from({ length: Math.ceil(bank.slots.length / count) },
      (_, at) => ({ ...bank, slots: bank.slots.slice(at * count, (at + 1) * count) }));
  });
}

/** Which canonical names (without the layer's path) make up a resident tensor, and its shape. */
export interface Layout extends Omit<ExpectedTensor, "name"> {
  key: string;
  from: string[];
  stacked: boolean;
}

export function layoutOf(layer: LayerSpec, D: number): Layout[] {
  const { ffn } = layer;
  return [...plainLayout(layer, D),
    ...(ffn?.kind === "moe" ? banksOf(ffn, D).flatMap((bank) => bankLayout(bank, ffn, D)) : [])];
}

function plainLayout(layer: LayerSpec, D: number): Layout[] {
  const banked = new Set(layer.ffn?.kind === "moe" ? banksOf(layer.ffn, D).flatMap(({ slots }) => slots) : []);
  const inBank = (name: string) => name.startsWith("experts.") && banked.has(Number(name.split(".")[1]));
  return layerTensors(heldLayer(layer, D), D).filter(({ name }) => !inBank(name)).map(({ name, ...tensor }) => ({
    ...tensor,
    key: name,
    from: [name],
    stacked: false,
  }));
}

function bankLayout({ key, expert, slots }: Bank, ffn: MoeFfnSpec, D: number): Layout[] {
  return expertTensors("", expert, ffn, D).map(({ name, shape, ...tensor }) => ({
    ...tensor,
    key: `${key}${name}`,
    from: slots.map((slot) => `experts.${slot}${name}`),
    shape: [slots.length, ...shape],
    stacked: true,
  }));
}

/** Reads one layer. The caller disposes it with `disposeWeights`. */
export async function readLayer(
  source: WeightSource,
  path: string,
  layer: LayerSpec,
  D: number,
): Promise<LayerWeights> {
  const weights = await readPlain(source, path, layer, D);
  try {
    if (layer.ffn?.kind === "moe") {
      for (const bank of banksOf(layer.ffn, D))
        for (const [key, tensor] of await readBank(source, path, layer.ffn, bank, D)) weights.set(key, tensor);
    }
    return weights;
  } catch (error) {
    disposeWeights(weights);
    throw error;
  }
}

/** What a layer holds beside its routed experts. */
export async function readPlain(
  source: WeightSource,
  path: string,
  layer: LayerSpec,
  D: number,
): Promise<LayerWeights> {
  const weights = await readWeights(source,
    plainLayout(layer, D).map(({ key, ...tensor }) => ({ ...tensor, name: key })), `${path}.`);
  if (!layer.maps) return weights;
  const shapes = mapShapes(layer, D);
  return Object.assign(weights, {
    maps: Object.fromEntries(
      Object.entries(heldLayer(layer, D).maps!).map(([name, form]) => [name, { form, shape: shapes[name] }]),
    ),
  });
}

/** Weights by name, or none of them. @param path what their names in the source begin with */
export async function readWeights(
  source: WeightSource,
  tensors: readonly ExpectedTensor[],
  path = "",
): Promise<LayerWeights> {
  const weights: LayerWeights = new Map();
  try {
    for (const tensor of tensors) weights.set(tensor.name, await readHeld(source, path + tensor.name, tensor));
    return weights;
  } catch (error) {
    disposeWeights(weights);
    throw error;
  }
}

/** The stacked experts of a bank. Expert by expert, so that what lies together on disk is read together. */
export async function readBank(
  source: WeightSource,
  path: string,
  ffn: MoeFfnSpec,
  bank: Bank,
  D: number,
): Promise<LayerWeights> {
  const layout = bankLayout(bank, ffn, D);
  const stacks = layout.map(({ shape }) => fillTensor(shape));
  try {
    for (let at = 0; at < bank.slots.length; at++) {
      await Promise.all(layout.map(async ({ from, shape, scattered }, part) => {
        const [name, start] = [`${path}.${from[at]}`, at * size(shape.slice(1))];
        if (scattered)
          putNumbers(name, shape.slice(1), await readRemainder(source, name, shape.slice(1)), stacks[part], start);
        else await putWeight(source, name, stacks[part], start);
      }));
    }
    return new Map(layout.map(({ key }, part) => [key, stacks[part].done()]));
  } finally {
    for (const stack of stacks) stack.drop();
  }
}

function size(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}
