import { MoeError } from "../errors.js";
import { type ModelSpec, moeLayers } from "../model/spec.js";
import type { WeightSource } from "../model/weight-source.js";
import { factorise } from "../tensor/linalg/factorise.js";
import type { Profile } from "./profile.js";

/** Importance of each row of the remainder of each matrix of each stored expert: [slot] by "up", "gate", "down". */
export type RowImportance = Record<string, RowScores>[];
export interface RowScores {
  scores: number[]; /** numbers in a row */
  width: number;
}

/**
 * Adds the importance of the rows of `S = W - U V` to a profile, as `rowImportance.RANK`: the mean over a row of
 * `|s dL/ds|`, where dL/dS is dL/dW since W = U V + S. The zero-shot form of MC-SMoE's pruning (arXiv:2310.01334,
 * appendix A): one look at the gradients in place of a running mean over training.
 *
 * @param gradients of the loss, under the names of the weights
 * @returns a new profile
 * @throws MoeError `compressed-already`
 */
export async function withRowImportance(
  profile: Profile,
  model: { spec: ModelSpec; weights: WeightSource },
  rank: number,
  gradients: WeightSource,
): Promise<Profile> {
  const layers = { ...profile.layers };
  for (const { id, ffn } of moeLayers(model.spec)) {
    if (!layers[id]) continue;
    const importance: RowImportance = [];
    for (const [slot, { form }] of ffn.slots.entries()) {
      if (form !== "dense")
        throw new MoeError("compressed-already",
          `profile: expert ${slot} of ${id} is stored as ${form}; accepted are dense experts. Measure before `
            + "compressing.");
      const scores: Record<string, RowScores> = {};
      for (const matrix of ffn.gated ? ["up", "gate", "down"] : ["up", "down"]) {
        const name = `${id}.experts.${slot}.${matrix}`;
        const [out, width] = model.weights.info(name).shape;
        const { s } = factorise(await model.weights.values(name), [out, width], rank);
        const gradient = await gradients.values(name);
        scores[matrix] = { width, scores: Array.from({ length: out }, (_, row) => {
          let sum = 0;
          for (let i = row * width; i < (row + 1) * width; i++) sum += Math.abs(s[i] * gradient[i]);
          return sum / width;
        }) };
      }
      importance.push(scores);
    }
    layers[id] = { ...layers[id], [`rowImportance.${rank}`]: importance };
  }
  return { ...profile, layers };
}
