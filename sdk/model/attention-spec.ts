import type { Activation } from "../tensor/ops/activation.js";
import type { RouterSpec } from "./router-spec.js";

/** Ways to mix tokens; one file each in attention/. */
export type AttentionSpec = SoftmaxAttentionSpec | LatentAttentionSpec | LightningAttentionSpec | DeltaAttentionSpec
  | RoutedHeadsSpec | ConvolutionSpec | MambaSpec | Mamba2Spec;

export interface SoftmaxAttentionSpec {
  kind: "softmax";
  heads: number;
  /** < heads: grouped-query */
  kvHeads: number;
  headDim: number;
  /** multiplies q k^T */
  scale: number;
  causal: boolean;
  /** a position sees itself and the window - 1 before it */
  window?: number;
  /** a position sees what is before it in its own chunk of this many positions */
  chunk?: number;
  bias: { q: boolean; k: boolean; v: boolean; o: boolean };
  rotary?: RotarySpec;
  qkNorm?: QkNormSpec;
  /** q, k and v are cut at +- this, after a norm over all heads */
  clip?: number;
  /** one learned score per head that takes attention and gives nothing */
  sinks?: boolean;
  temperature?: TemperatureSpec;
  /** the rows of q hold for each head its query, then a gate: the output is multiplied by sigmoid(gate) */
  outputGate?: boolean;
  /** T5's bucketed bias; the layer that owns the table shares it with the layers after it */
  relative?: { buckets: number; maxDistance: number; bidirectional: boolean; own: boolean };
}

/** q is multiplied by 1 + scale log(1 + floor((t + first) / floor)) at position t from 0; `first` is 1 if absent */
export interface TemperatureSpec {
  floor: number;
  scale: number;
  first?: number;
}

/** RMS norm of q and k; without `gain` it has no weights. */
export interface QkNormSpec {
  over: "head" | "all";
  when: "before-rotary" | "after-rotary";
  eps: number;
  gain: boolean;
  offset?: number;
}

/** Multi-head latent attention: keys and values of all heads come from one short vector. DeepSeek-V2, section 2.1. */
export interface LatentAttentionSpec {
  kind: "latent";
  heads: number;
  /** 0: q comes straight from the stream */
  qRank: number;
  kvRank: number;
  /** channels of q and k without and with rotary, channels of v, all per head */
  nopeDim: number;
  ropeDim: number;
  valueDim: number;
  scale: number;
  causal: boolean;
  /** eps of the norms of the short vectors */
  eps: number;
  bias: { q: boolean; kv: boolean; o: boolean };
  rotary: RotarySpec;
  /**
   * a sparse index beside the block chooses this many tokens: of no more it chooses all, which is what runs; longer
   * texts are refused (DeepSeek-V3.2, arXiv:2512.02556)
   */
  tokens?: number;
  temperature?: TemperatureSpec;
}

/** Linear attention whose memory fades by exp(-slope) per token, one slope per head. MiniMax-01, section 2.2. */
export interface LightningAttentionSpec {
  kind: "lightning";
  heads: number;
  headDim: number;
  /** head h of H fades by exp(-decay 2^(-8 (h + 1) / H)) */
  decay: number;
  activation: Activation;
  eps: number;
}

/** Gated DeltaNet, arXiv:2412.06464, behind a short convolution. */
export interface DeltaAttentionSpec {
  kind: "delta";
  keyHeads: number;
  valueHeads: number;
  keyDim: number;
  valueDim: number;
  /**
   * what makes q, k, v, output gates z, b and a: the matrices `qkvz` and `ba` whose rows are grouped by key head
   * ("grouped", the default), or `qkv`, `z`, `b` and `a`
   */
  projections?: "grouped" | "apart";
  kernel: number;
  activation: Activation;
  eps: number;
}

/** Mixture of attention heads: the projections of q and of the output are chosen per token. JetMoE, section 2.2. */
export interface RoutedHeadsSpec {
  kind: "routed-heads";
  experts: number;
  kvHeads: number;
  headDim: number;
  scale: number;
  causal: boolean;
  rotary: RotarySpec;
  router: RouterSpec;
}

/** Gated short convolution over time: out (c * convolution(b * x)). LFM2. */
export interface ConvolutionSpec {
  kind: "convolution";
  kernel: number;
  bias: boolean;
}

/** Selective state space, arXiv:2312.00752, with norms on step, B and C as in Jamba where `eps` is given. */
export interface MambaSpec {
  kind: "mamba";
  inner: number;
  state: number;
  kernel: number;
  stepRank: number;
  activation: Activation;
  bias: { in: boolean; convolution: boolean };
  eps?: number;
}

/** State space duality, arXiv:2405.21060: one decay per head; B and C are shared by the heads of a group. */
export interface Mamba2Spec {
  kind: "mamba-2";
  heads: number;
  headDim: number;
  groups: number;
  /** numbers that a channel remembers */
  state: number;
  kernel: number;
  activation: Activation;
  bias: { in: boolean; convolution: boolean };
  /** of the norm of the gated output, over each group's channels */
  eps: number;
  /** steps are cut here */
  step?: { least: number; most?: number };
}

export interface RotarySpec {
  theta: number;
  /** the first `dim` channels of a head are turned */
  dim: number;
  /** pairs are neighbours (true) or one from each half (false) */
  interleaved: boolean;
  scaling?: RotaryScaling;
}

/**
 * How frequencies are changed for longer texts; formulas in attention/rotary-frequencies.ts. `length` is in tokens,
 * `amplitude` multiplies cosines and sines.
 */
export type RotaryScaling =
  | { kind: "linear"; factor: number }
  | { kind: "dynamic"; factor: number; length: number }
  | { kind: "ntk"; alpha: number }
  | { kind: "llama3"; factor: number; low: number; high: number; length: number }
  | { kind: "yarn"; factor: number; length: number; fast: number; slow: number; truncate: boolean; amplitude: number }
  | { kind: "longrope"; length: number; short: number[]; long: number[]; shortAmplitude: number;
    longAmplitude: number };
