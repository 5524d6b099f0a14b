import { isMatrix, mapShapes } from "../expected-tensors.js";
import { MemorySource } from "../memory-source.js";
import type { SpecAndWeights } from "../spec-and-weights.js";
import { type DenseExpertSpec, isFree, latentWidth, layerId, type LayerSpec, type ModelSpec,
  type MoeFfnSpec } from "../spec.js";
import type { Shape } from "./form.js";
import { formTensors, heldForm, settledForm } from "./forms.js";
import type { MatrixForm } from "./matrix-form.js";

/** A matrix of a model that has a form. */
export interface FormedMatrix {
  name: string;
  shape: Shape;
  form: MatrixForm;
  /** puts another form in its place, in the spec that it was found in */
  replace(form: MatrixForm): void;
}

/** The matrices of a spec that have a form. */
export function formedMatrices(spec: ModelSpec): FormedMatrix[] {
  return (["encoder", "decoder"] as const).flatMap((stack) => {
    const layers = spec[stack]?.layers ?? [];
    return layers.flatMap((layer, index) => {
      const id = layerId(stack, index);
      const shapes = layer.maps ? mapShapes(layer, spec.width) : {};
      const plain = Object.entries(layer.maps ?? {}).map(([name, form]): FormedMatrix => ({
        name: `${id}.${name}`,
        shape: shapes[name],
        form,
        // layers and slots of a spec may be one object
        replace: (form) => layers[index] = { ...layers[index], maps: { ...layers[index].maps, [name]: form } },
      }));
      return [...plain, ...(layer.ffn?.kind === "moe" ? expertMatrices(`${id}.experts`, layer.ffn, spec.width) : [])];
    });
  });
}

function expertMatrices(path: string, ffn: MoeFfnSpec, D: number): FormedMatrix[] {
  return ffn.slots.flatMap((slot, index) => {
    if (isFree(slot) || !slot.maps) return [];
    return Object.entries(slot.maps).map(([matrix, form]): FormedMatrix => ({
      name: `${path}.${index}.${matrix}`,
      shape: expertShape(matrix, slot.width, latentWidth(ffn, D)),
      form,
      replace(form) {
        const own = ffn.slots[index] as DenseExpertSpec;
        ffn.slots[index] = { ...own, maps: { ...own.maps, [matrix]: form } };
      },
    }));
  });
}

/** A layer whose matrices outside its experts are in the forms in which they lie on the device. */
export function heldLayer(layer: LayerSpec, D: number): LayerSpec {
  if (!layer.maps) return layer;
  const shapes = mapShapes(layer, D);
  return { ...layer,
    maps: Object.fromEntries(Object.entries(layer.maps).map(([name, form]) => [name, heldForm(form, shapes[name])])) };
}

/** Of a matrix of an expert. @param F its width @param D of what it reads */
export function expertShape(matrix: string, F: number, D: number): Shape {
  return matrix === "down" ? [D, F] : [F, D];
}

/** A spec whose matrices are in the forms in which they lie on the device. */
export function withHeldForms(spec: ModelSpec): ModelSpec {
  if (formedMatrices(spec).length === 0) return spec;
  const held = structuredClone(spec);
  for (const { form, shape, replace } of formedMatrices(held)) replace(heldForm(form, shape));
  return held;
}

/** Stores a trained model in fewer numbers, where zeros need no room: the architecture then counts what is left. */
export async function withSettledForms({ spec, weights }: SpecAndWeights): Promise<SpecAndWeights> {
  if (formedMatrices(spec).length === 0) return { spec, weights };
  const settled = structuredClone(spec);
  const tensors = new Map<string, { shape: number[]; values: Float32Array }>();
  const gone = new Set<string>();
  for (const { name, form, shape, replace } of formedMatrices(settled)) {
    const found = await settledForm(form, shape, name, weights);
    if (!found) continue;
    const left = new Set(formTensors(found.form, shape).map((tensor) => tensor.name));
    for (const tensor of formTensors(form, shape)) if (!left.has(tensor.name)) gone.add(name + tensor.name);
    for (const [suffix, tensor] of found.tensors) tensors.set(name + suffix, tensor);
    replace(found.form);
  }
  for (const name of weights.names())
    if (!tensors.has(name) && !gone.has(name))
      tensors.set(name, { shape: weights.info(name).shape, values: await weights.values(name) });
  return { spec: settled, weights: new MemorySource(tensors) };
}

const EXPERT = /^(.+)\.experts\.(\d+)\.(up|gate|down)$/;

/** Whether a weight of a model can have a form: the matrices of its blocks, in or beside experts. */
export function isFormable(name: string, shape: readonly number[]): boolean {
  const own = /^(?:encoder\.)?layers\.\d+\.(.+)$/.exec(name)?.[1];
  return own !== undefined && (EXPERT.test(name) && shape.length === 2 || isMatrix({ name: own, shape: [...shape] }));
}

/** Puts a form in the place of a matrix of a spec, which is changed. */
export function setForm(spec: ModelSpec, name: string, form: MatrixForm): void {
  const [, stack, at, own] = /^(encoder\.)?layers\.(\d+)\.(.+)$/.exec(name)!;
  const layers = spec[stack ? "encoder" : "decoder"]!.layers;
  const layer = layers[Number(at)], ffn = layer.ffn;
  const expert = EXPERT.exec(name);
  if (!expert || ffn?.kind !== "moe") {
    layers[Number(at)] = { ...layer, maps: { ...layer.maps, [own]: form } };
    return;
  }
  const slots = [...ffn.slots], slot = slots[Number(expert[2])] as DenseExpertSpec;
  slots[Number(expert[2])] = { ...slot, maps: { ...slot.maps, [expert[3]]: form } };
  layers[Number(at)] = { ...layer, ffn: { ...ffn, slots } };
}
