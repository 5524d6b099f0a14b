import type { Tensor2D } from "@tensorflow/tfjs-core";
import type { LayerId, MoeFfnSpec } from "../model/spec.js";
import type { WeightSource } from "../model/weight-source.js";
import { tf } from "../tensor/index.js";
import { type ExpertMatrices, weightMatching } from "./weight-matching.js";

/**
 * Reads the stored experts of a layer with their hidden neurons in the order of the first one (section 3.1 of
 * arXiv:2310.01334): statistics of weights compare neuron with neuron, so they are taken after alignment.
 *
 * @returns one entry for each slot; the caller disposes them with `disposeExperts`
 */
export async function alignedExperts(
  weights: WeightSource,
  layer: LayerId,
  ffn: MoeFfnSpec,
): Promise<ExpertMatrices[]> {
  const experts: ExpertMatrices[] = [];
  for (let slot = 0; slot < ffn.slots.length; slot++) {
    const expert = await readExpert(weights, layer, slot);
    const comparable = slot > 0 && ffn.slots[slot].width === ffn.slots[0].width;
    experts.push(comparable ? inOrder(expert, await weightMatching(experts[0], expert)) : expert);
  }
  return experts;
}

/** up, gate and down of one stored expert. */
export async function readExpert(weights: WeightSource, layer: LayerId, slot: number): Promise<ExpertMatrices> {
  const read = (matrix: string) => weights.read(`${layer}.experts.${slot}.${matrix}`) as Promise<Tensor2D>;
  const gated = weights.has(`${layer}.experts.${slot}.gate`);
  return { up: await read("up"), ...(gated && { gate: await read("gate") }), down: await read("down") };
}

/** The same expert with its hidden neurons in another order; takes the given one. */
export function inOrder(expert: ExpertMatrices, order: ArrayLike<number>): ExpertMatrices {
  const moved = tf.tidy(() => {
    const neurons = tf.tensor1d(Array.from(order), "int32");
    return { up: tf.gather(expert.up, neurons), ...(expert.gate && { gate: tf.gather(expert.gate, neurons) }),
      down: tf.gather(expert.down, neurons, 1) };
  });
  disposeExperts([expert]);
  return moved;
}

export function disposeExperts(experts: ExpertMatrices[]): void {
  for (const { up, gate, down } of experts) tf.dispose([up, down, ...(gate ? [gate] : [])]);
}
