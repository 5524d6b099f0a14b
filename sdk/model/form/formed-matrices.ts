import { MemorySource } from "../memory-source.js";
import type { SpecAndWeights } from "../spec-and-weights.js";
import { type DenseExpertSpec, isFree, latentWidth, type ModelSpec, moeLayers } from "../spec.js";
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
  return moeLayers(spec).flatMap(({ id, ffn }) =>
    ffn.slots.flatMap((slot, index) => {
      if (isFree(slot) || !slot.maps) return [];
      return Object.entries(slot.maps).map(([matrix, form]): FormedMatrix => ({
        name: `${id}.experts.${index}.${matrix}`,
        shape: expertShape(matrix, slot.width, latentWidth(ffn, spec.width)),
        form,
        replace(form) {
          // slots of a spec may be one object
          const own = ffn.slots[index] as DenseExpertSpec;
          ffn.slots[index] = { ...own, maps: { ...own.maps, [matrix]: form } };
        },
      }));
    })
  );
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
