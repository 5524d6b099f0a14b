import { expertTensors } from "../model/expected-tensors.js";
import { readRemainder } from "../model/form/low-rank-sparse.js";
import { type ModelSpec, moeLayers } from "../model/spec.js";
import type { WeightSource } from "../model/weight-source.js";
import type { Profile } from "./profile.js";

/** How much the task loss hangs on each expert, [E]; 0 for a router output without an expert. */
export interface Sensitivity {
  /** `|sum w dL/dw|`: by how much the loss would change to first order if the expert's weights were 0 */
  total: number[];
  /** `sum |w dL/dw|`: the importance of arXiv:2310.01334, section 3.3, added up over the expert's numbers */
  entries: number[];
}

/**
 * Adds how much the loss hangs on each expert to a profile, as `sensitivity`.
 *
 * @param gradients of the loss, under the names of the weights
 * @returns a new profile
 */
export async function withSensitivity(
  profile: Profile,
  model: { spec: ModelSpec; weights: WeightSource },
  gradients: WeightSource,
): Promise<Profile> {
  const layers = { ...profile.layers };
  for (const { id, ffn } of moeLayers(model.spec)) {
    if (!layers[id]) continue;
    const slots: { total: number; entries: number }[] = [];
    for (const [slot, form] of ffn.slots.entries()) {
      let [total, entries] = [0, 0];
      for (const { name, index, scattered } of expertTensors(`${id}.experts.${slot}`, form, ffn, model.spec.width)) {
        if (index) continue;
        const gradient = await gradients.values(name);
        const weight = scattered
          ? await readRemainder(model.weights, name, gradients.info(name).shape)
          : await model.weights.values(name);
        weight.forEach((value, i) => {
          total += value * gradient[i];
          entries += Math.abs(value * gradient[i]);
        });
      }
      slots.push({ total: Math.abs(total), entries });
    }
    const sensitivity: Sensitivity = { total: ffn.expertOf.map((slot) => slots[slot]?.total ?? 0),
      entries: ffn.expertOf.map((slot) => slots[slot]?.entries ?? 0) };
    layers[id] = { ...layers[id], sensitivity };
  }
  return { ...profile, layers };
}
