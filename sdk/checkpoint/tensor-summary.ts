import type { Dtype } from "../tensor/formats/dtype.js";
import type { TensorStore } from "./tensor-store.js";

/** All tensors whose names differ by layer and expert alone, in one dtype. */
export interface TensorGroup {
  /** the common name with * for numbers, e.g. model.layers.*.mlp.experts.*.up_proj.weight */
  part: string;
  dtype: Dtype;
  tensors: number;
  /** of the first; `mixed` if others differ */
  shape: string;
  elements: number;
  sizeBytes: number;
}

/**
 * Groups a checkpoint's tensors by part and dtype, the largest first. Reads nothing: headers are enough.
 *
 * @example tensorSummary(await openTensors("OLMoE-1B-7B-0924"))[0]
 */
export function tensorSummary(store: TensorStore): TensorGroup[] {
  return largestFirst(joinGroups(ungrouped(store)));
}

function* ungrouped(store: TensorStore): Iterable<TensorGroup> {
  for (const name of store.names()) {
    const { dtype, shape, sizeBytes } = store.info(name);
    yield { part: partOf(name), dtype, tensors: 1, shape: shape.join(" x ") || "scalar",
      elements: shape.reduce((product, length) => product * length, 1), sizeBytes };
  }
}

/** Adds up groups of one part and dtype; the shape of the first is that of all, unless they differ. */
export function joinGroups(parts: Iterable<Readonly<TensorGroup>>): TensorGroup[] {
  const groups = new Map<string, TensorGroup>();
  for (const { part, dtype, tensors, shape, elements, sizeBytes } of parts) {
    const key = `${part} ${dtype}`;
    const group = groups.get(key);
    if (!group) {
      groups.set(key, { part, dtype, tensors, shape, elements, sizeBytes });
      continue;
    }
    if (group.shape !== shape) group.shape = "mixed";
    group.tensors += tensors;
    group.elements += elements;
    group.sizeBytes += sizeBytes;
  }
  return [...groups.values()];
}

/**
 * Switch and NLLB write expert_17 where others write 17. @example
 * partOf("model.layers.3.mlp.experts.17.up_proj.weight")  // "model.layers.*.mlp.experts.*.up_proj.weight"
 */
export function partOf(name: string): string {
  return name.replace(/(?<=^|\.|\.expert_)\d+(?=\.|$)/g, "*");
}

export function largestFirst(groups: TensorGroup[]): TensorGroup[] {
  return groups.sort((a, b) =>
    b.sizeBytes - a.sizeBytes || (a.part < b.part ? -1 : a.part > b.part ? 1 : a.dtype < b.dtype ? -1 : 1)
  );
}
