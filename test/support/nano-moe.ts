import { expectedTensors } from "../../sdk/model/expected-tensors.js";
import type { ModelSpec, MoeFfnSpec } from "../../sdk/model/spec.js";
import { moeLayers } from "../../sdk/model/spec.js";
import type { LayerProfile, Profile } from "../../sdk/profile/profile.js";
import { Rng } from "../../sdk/tensor/rng.js";
import { MemoryWeights } from "./memory-weights.js";

/** A small decoder-only model of MoE layers with random weights; `change` edits the spec before weights are drawn. */
export function nanoMoe({ layers = 2, experts = 4, topK = 1, gated = false, bias = false, width = 6, expertWidth = 8,
  encoder = 0, seed = 1 } = {}): { spec: ModelSpec; weights: MemoryWeights } {
  const ffn = (): MoeFfnSpec => ({
    kind: "moe",
    experts,
    expertOf: Array.from({ length: experts }, (_, e) => e),
    slots: Array.from({ length: experts }, () => ({ form: "dense", width: expertWidth })),
    router: { kind: "softmax", topK, normalize: topK > 1, scale: 1, bias: false, capacity: 0 },
    activation: gated ? "silu" : "relu",
    gated,
    bias,
  });
  const attention = (index: number) => ({
    kind: "softmax" as const,
    heads: 2,
    kvHeads: 2,
    headDim: 3,
    scale: 1,
    causal: true,
    bias: { q: false, k: false, v: false, o: false },
    relative: { buckets: 4, maxDistance: 8, bidirectional: false, own: index === 0 },
  });
  const stack = (count: number) => ({ embedding: { scale: 1 },
    layers: Array.from({ length: count },
      (_, index) => ({ attention: attention(index), ffn: ffn(), norm: { kind: "rms" as const, eps: 1e-6 } })) });
  const spec: ModelSpec = {
    family: "nano",
    vocab: 11,
    width,
    decoder: stack(layers),
    ...(encoder > 0 && { encoder: stack(encoder) }),
    head: { tied: true, scale: 1, bias: false },
    tokens: { eos: [] },
  };
  const rng = new Rng(seed);
  const weights = new MemoryWeights(
    new Map(
      expectedTensors(spec).map(
        ({ name, shape }) => [name, { shape, values: Float32Array.from({ length: shape.reduce((a, b) =>
          a * b, 1) }, () => rng.normal()) }]
      ),
    ),
  );
  return { spec, weights };
}

/**
 * A profile with random usage and router-logit cosines for that model; `fields` adds to or replaces what a layer holds.
 */
export async function nanoProfile(
  model: { spec: ModelSpec; weights: MemoryWeights },
  seed = 1,
  fields: (layer: number, experts: number) => Partial<LayerProfile> = () => ({}),
): Promise<Profile> {
  const rng = new Rng(seed);
  const layers = Object.fromEntries(moeLayers(model.spec).map(({ id, ffn }, index): [string, LayerProfile] => {
    const E = ffn.experts;
    const counts = Array.from({ length: E }, () => rng.int(1000) + 1);
    const cosine = Array.from({ length: E }, () => new Array<number>(E).fill(1));
    for (let i = 0; i < E; i++) for (let j = i + 1; j < E; j++) cosine[i][j] = cosine[j][i] = 2 * rng.next() - 1;
    return [id, { experts: E, expertOf: ffn.expertOf, tokens: counts.reduce((a, b) => a + b, 0), counts,
      routerLogitCosine: cosine, ...fields(index, E) }];
  }));
  return { version: 1, model: { id: "nano", fingerprint: await model.weights.fingerprint() },
    data: { id: "none", fingerprint: "", seed: 0 }, tokens: { decoder: 1 }, layers };
}
