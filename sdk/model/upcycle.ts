import type { Rng } from "../tensor/index.js";
import { expectedTensors } from "./expected-tensors.js";
import { initialize } from "./initialize.js";
import { MemorySource } from "./memory-source.js";
import { type LayerId, layerId, type ModelSpec } from "./spec.js";
import type { WeightSource } from "./weight-source.js";

export interface UpcycleOptions {
  /** E: copies of each feed-forward block */
  experts: number;
  /** K; default 1 */
  topK?: number;
  /** add up the weights of a sequence's experts before they run (MEO, arXiv:2310.09832) */
  merge?: "sequence";
  /** default both */
  stack?: "encoder" | "decoder";
  /** of every so many layers the last becomes sparse; default 1, all of them */
  every?: number;
}

/**
 * Sparse upcycling, arXiv:2212.05055: a dense model's feed-forward blocks become MoE layers of so many experts, with
 * gates that sum to 1 over the chosen ones, so that copies compute what the block did.
 *
 * @returns the new spec, and the layers that were changed
 */
export function upcycledSpec(dense: ModelSpec, { experts, topK = 1, merge, stack: only, every = 1 }: UpcycleOptions): {
  spec: ModelSpec;
  layers: LayerId[];
} {
  const spec = structuredClone(dense);
  const layers: LayerId[] = [];
  for (const stack of ["encoder", "decoder"] as const) {
    if (only && stack !== only) continue;
    spec[stack]?.layers.forEach((layer, index) => {
      if (layer.ffn?.kind !== "dense" || (index + 1) % every !== 0) return;
      const { width, activation, gated, bias } = layer.ffn;
      layers.push(layerId(stack, index));
      layer.ffn = { kind: "moe", experts, expertOf: Array.from({ length: experts }, (_, expert) => expert),
        slots: Array.from({ length: experts }, () => ({ form: "dense" as const, width })),
        router: { kind: "softmax", topK, normalize: true, scale: 1, bias: false, capacity: 0, ...(merge && { merge }) },
        activation, gated, bias };
    });
  }
  return { spec, layers };
}

/**
 * Weights for an upcycled spec: experts are copies of the dense block (or of the first expert, if the model had one
 * already), routers are random, all else is what it was.
 */
export async function upcycledWeights(spec: ModelSpec, dense: WeightSource, rng: Rng): Promise<WeightSource> {
  const fresh = initialize(spec, rng);
  const tensors = new Map<string, { shape: number[]; values: Float32Array }>();
  for (const { name, shape } of expectedTensors(spec)) {
    const first = name.replace(/\.experts\.\d+\./, ".experts.0.");
    const own = dense.has(first) ? first : name.replace(/\.experts\.\d+\./, ".ffn.");
    const source = /\.router(\.|$)/.test(name) ? fresh : dense;
    tensors.set(name, { shape, values: await source.values(source === fresh ? name : own) });
  }
  return new MemorySource(tensors);
}
