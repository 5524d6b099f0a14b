import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { disposeExperts, readExpert } from "../match/aligned-experts.js";
import { type ModelSpec, moeLayers } from "../model/spec.js";
import type { WeightSource } from "../model/weight-source.js";
import { tf } from "../tensor/index.js";
import type { Profile } from "./profile.js";

/**
 * Inner products of vectors on the engine, [E][E]; rows and columns of a missing vector are 0. Vectors stay.
 */
export async function gramOf(vectors: (Tensor | undefined)[]): Promise<number[][]> {
  const gram = vectors.map(() => new Array<number>(vectors.length).fill(0));
  for (let i = 0; i < vectors.length; i++) {
    for (let j = i; j < vectors.length; j++) {
      const [a, b] = [vectors[i], vectors[j]];
      if (!a || !b) continue;
      const product = tf.tidy(() => tf.sum(tf.mul(a, b)));
      gram[i][j] = gram[j][i] = (await product.data())[0];
      product.dispose();
    }
  }
  return gram;
}

/**
 * Adds the inner products of flattened expert weights to a profile as `gram.weight`, neurons in the stored order.
 * One layer is in memory at a time.
 *
 * @returns a new profile
 */
export async function withWeightGram(
  profile: Profile,
  model: { spec: ModelSpec; weights: WeightSource },
): Promise<Profile> {
  const layers = { ...profile.layers };
  for (const { id, ffn } of moeLayers(model.spec)) {
    if (!layers[id]) continue;
    const experts = [];
    for (let slot = 0; slot < ffn.slots.length; slot++) experts.push(await readExpert(model.weights, id, slot));
    let gram = ffn.slots.map(() => new Array<number>(ffn.slots.length).fill(0));
    for (const matrix of ["up", "gate", "down"] as const) {
      const part = await gramOf(experts.map((expert) => expert[matrix] as Tensor2D | undefined));
      gram = gram.map((row, i) => row.map((value, j) => value + part[i][j]));
    }
    disposeExperts(experts);
    layers[id] = { ...layers[id], "gram.weight": ffn.expertOf.map((a) => ffn.expertOf.map((b) => gram[a]?.[b] ?? 0)) };
  }
  return { ...profile, layers };
}
