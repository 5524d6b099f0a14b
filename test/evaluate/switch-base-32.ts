import type { AttentionSpec, ExpertSpec, LayerSpec, ModelSpec, MoeFfnSpec } from "../../sdk/model/spec.js";

/** google/switch-base-32 from its published configuration; `slots` gives the stored experts of each MoE layer in running order. */
export function switchBase32(slots: (moeLayer: number) => ExpertSpec[] = () => dense(32)): ModelSpec {
  const norm = { kind: "rms", eps: 1e-6 } as const;
  const bias = { q: false, k: false, v: false, o: false };
  const attention = (causal: boolean, relative: boolean, own: boolean): AttentionSpec => ({
    kind: "softmax", heads: 12, kvHeads: 12, headDim: 64, scale: 1, causal, bias,
    ...(relative ? { relative: { buckets: 32, maxDistance: 128, bidirectional: !causal, own } } : {}),
  });
  const ffn = (index: number, moeLayer: number): LayerSpec["ffn"] =>
    index % 2 === 0 ? { kind: "dense", width: 3072, activation: "relu", gated: false, bias: false } : moe(slots(moeLayer));
  const layers = (causal: boolean): LayerSpec[] => Array.from({ length: 12 }, (_, index) => ({
    attention: attention(causal, true, index === 0),
    ...(causal ? { cross: attention(false, false, false) } : {}),
    ffn: ffn(index, (index - 1) / 2 + (causal ? 6 : 0)),
    norm,
  }));
  return {
    family: "switch_transformers", vocab: 32128, width: 768,
    encoder: { embedding: { scale: 1, shared: true }, layers: layers(false), finalNorm: norm },
    decoder: { embedding: { scale: 1 }, layers: layers(true), finalNorm: norm },
    head: { tied: true, scale: 768 ** -0.5, bias: false },
    tokens: { pad: 0, eos: [1], decoderStart: 0 },
  };
}

/** Router output e runs slot e modulo their number: which one does not matter to the cost of equal experts. */
function moe(slots: ExpertSpec[]): MoeFfnSpec {
  return {
    kind: "moe", experts: 32, expertOf: Array.from({ length: 32 }, (_, expert) => expert % slots.length), slots,
    router: { kind: "softmax", topK: 1, normalize: false, scale: 1, bias: false, capacity: 0 },
    activation: "relu", gated: false, bias: false,
  };
}

export function dense(count: number): ExpertSpec[] {
  return Array.from({ length: count }, () => ({ form: "dense", width: 3072 }));
}

/** Rank 32 and one row in ten: a mean over many experts, so the kept rows are not whole. */
export function compressed(count: number): ExpertSpec[] {
  return Array.from({ length: count }, () => ({ form: "low-rank-sparse", width: 3072, rank: 32, rows: { up: 307.2, down: 76.8 } }));
}
