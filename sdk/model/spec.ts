/**
 * Everything about an architecture that is not a number in a weight. Plain JSON, produced from a
 * checkpoint's config.json by a family file (`data/families/`), changed by plans, read by the blocks.
 *
 * Canonical weight names follow this structure. A stack's prefix is "" (decoder or decoder-only) or "encoder.":
 * {stack}embed, {stack}position, {stack}tokenType, {stack}embedNorm, {stack}embedIn, {stack}embedOut, {stack}finalNorm
 *   head, head.bias, headTransform, headNorm
 *   {stack}layers.{l}.norm.{attention|cross|ffn}
 *   {stack}layers.{l}.attention.{q|k|v|o|…}, the full list per kind in attention/tensors.ts; .cross.{q|k|v|o}
 *   {stack}layers.{l}.ffn.{gate|up|down}
 * {stack}layers.{l}.router, .router.choiceBias, {stack}layers.{l}.experts.{slot}.{gate|up|down},
 * {stack}layers.{l}.expertsBias
 *   {stack}layers.{l}.shared.{gate|up|down}, .sharedGate
 * Matrices are [out, in], as PyTorch stores them; a bias has the suffix `.bias`.
 */
export interface ModelSpec {
  /** name of the family file that produced this spec */
  family: string;
  /** V */
  vocab: number;
  /** D */
  width: number;
  decoder: StackSpec;
  encoder?: StackSpec;
  head: HeadSpec;
  tokens: { pad?: number; bos?: number; eos: number[]; decoderStart?: number };
}

export interface StackSpec {
  embedding: EmbeddingSpec;
  layers: LayerSpec[];
  finalNorm?: NormSpec;
}

export interface EmbeddingSpec {
  /** multiplies the token's row */
  scale: number;
  /** "shared": this stack uses the decoder's `embed` */
  shared?: boolean;
  /**
   * width of the table where it is not D: `embedIn` [D, width] widens it, `embedOut` [width, D] narrows the stream
   * before the head
   */
  width?: number;
  position?: PositionSpec;
  /** number of segment kinds that are told apart, as in BERT */
  tokenTypes?: number;
  /** normalises the sum */
  norm?: NormSpec;
}

export type PositionSpec =
  /** position t has row t + offset of `position` [count + offset, D] */
  | { kind: "learned"; count: number; offset: number }
  /** sines, then cosines; tokens equal to `pad` count as no position and get zeros, others begin at pad + 1 */
  | { kind: "sinusoidal"; pad: number };

export interface HeadSpec {
  /** the transposed embedding is the head */
  tied: boolean;
  /** multiplies the normalised hidden state before the head, e.g. D^-0.5 in T5 */
  scale: number;
  bias: boolean;
  /** a layer before the head as in BERT: activation(headTransform x), then headNorm */
  transform?: { activation: Activation; norm: NormSpec };
}

/** An absent block is a dropped block. */
export interface LayerSpec {
  attention?: AttentionSpec;
  cross?: SoftmaxAttentionSpec;
  ffn?: DenseFfnSpec | MoeFfnSpec;
  norm: NormSpec;
  /**
   * what a norm reads: the stream "before" its block (default), the sum "after" it (BERT), or the block's "output"
   * before the sum
   */
  normPlace?: "before" | "after" | "output";
  /**
   * stream' = stream factor * base + block factor * block; base is the stream, or what the norm made of it. Default all
   * 1 and the stream
   */
  residual?: { base?: "stream" | "normed"; attention: ResidualFactors; ffn: ResidualFactors };
}

export interface ResidualFactors {
  stream: number;
  block: number;
}

export interface NormSpec {
  kind: "rms" | "layer";
  eps: number; /** added to the weight before it multiplies */
  offset?: number;
  bias?: boolean;
}

/** Ways to mix tokens; one file each in attention/. */
export type AttentionSpec = SoftmaxAttentionSpec | LatentAttentionSpec | LightningAttentionSpec | DeltaAttentionSpec
  | RoutedHeadsSpec | ConvolutionSpec | MambaSpec;

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
  /** q is multiplied by 1 + scale log(1 + floor((t + 1) / floor)) at position t */
  temperature?: { floor: number; scale: number };
  /** the rows of q hold for each head its query, then a gate: the output is multiplied by sigmoid(gate) */
  outputGate?: boolean;
  /** T5's bucketed bias; the layer that owns the table shares it with the layers after it */
  relative?: { buckets: number; maxDistance: number; bidirectional: boolean; own: boolean };
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

export type Activation = "relu" | "silu" | "gelu" | "gelu-tanh";

export interface DenseFfnSpec {
  kind: "dense";
  width: number;
  activation: Activation;
  gated: boolean;
  bias: boolean;
}

export interface MoeFfnSpec {
  kind: "moe";
  /** E: outputs of the router */
  experts: number;
  /** slot that runs for router output e; -1: nothing runs and the output is zero */
  expertOf: number[];
  /** the experts that are stored */
  slots: ExpertSpec[];
  shared?: DenseFfnSpec;
  /** the shared experts' output is multiplied by sigmoid(sharedGate x) */
  sharedGate?: boolean;
  router: RouterSpec;
  activation: Activation;
  gated: boolean;
  bias: boolean;
  /** one vector that is added to every token's output */
  outputBias?: boolean;
  /** gate and up are cut at +- this, and the hidden vector is gate sigmoid(1.702 gate) (up + 1): gpt-oss */
  clamp?: number;
}

/** How one expert is stored. `width` is F. New forms are one file each in model/expert/. */
export type ExpertSpec =
  | { form: "dense"; width: number }
  | { form: "low-rank-sparse"; width: number; rank: number; /** kept rows of the sparse remainder, per matrix */
    rows: Record<string, number> }
  | { form: "zero"; width: number };

export interface RouterSpec {
  /**
   * - `softmax`: over all logits, then the K largest
   * - `sigmoid`: of each logit, then the K largest
   * - `chosen-softmax`: the K largest logits, then a softmax over these
   * - `sparsemixer`: one choice after the other; a gate is a softmax over the rivals within 2 `jitter` (relative) of
   *   the best
   */
  kind: "softmax" | "sigmoid" | "chosen-softmax" | "sparsemixer";
  /** K */
  topK: number;
  /** gates of the chosen are divided by their sum */
  normalize: boolean;
  /** by the p-norm instead of the sum */
  normalizeP?: number;
  scale: number;
  bias: boolean;
  /** a learned number per expert, `router.choiceBias`, is added to the scores for the choice; gates leave it out */
  choiceBias?: boolean;
  /**
   * experts in `count` groups; only the best `keep` groups take part, ranked by their best score or the sum of the two
   * best
   */
  groups?: { count: number; keep: number; rank: "best" | "best-two" };
  /** of `sparsemixer` */
  jitter?: number;
  /** what a gate multiplies: the expert's output (default), or its input, and then the outputs are added as they are */
  gates?: "output" | "input";
  /** multiplies the outputs of the experts beside the gates */
  outputScale?: number;
  /** tokens per expert and sequence; later ones are dropped. 0: no limit */
  capacity: number;
  /** router outputs that are never chosen */
  masked?: number[];
  /**
   * "released-product": masked logits are multiplied by -1e6 instead, as arXiv:2310.01334's code did for one baseline;
   * negative ones then win
   */
  maskBy?: "released-product";
  /** a token's further choices are skipped when their gate is below this share of its first one (arXiv:2402.14800) */
  skipBelow?: number;
  /**
   * "sequence": all tokens of a sequence run through one expert, the sum of the chosen experts' weights by their gates;
   * the choice is made from the mean of their inputs (arXiv:2310.09832)
   */
  merge?: "sequence";
  /**
   * choices of a token that fall into one slot run once, with the sum of their gates: the same result for fewer FLOPs
   */
  combine?: boolean;
}

/** Canonical path of a layer, e.g. "encoder.layers.2" or "layers.0"; the key of profiles and plans. */
export type LayerId = string;

/** The MoE layers of a model in running order: encoder first. */
export function moeLayers(
  spec: ModelSpec,
): { id: LayerId; layer: number; stack: "encoder" | "decoder"; ffn: MoeFfnSpec }[] {
  const found: { id: LayerId; layer: number; stack: "encoder" | "decoder"; ffn: MoeFfnSpec }[] = [];
  for (const stack of ["encoder", "decoder"] as const) {
    spec[stack]?.layers.forEach((layer, index) => {
      if (layer.ffn?.kind === "moe") found.push({ id: layerId(stack, index), layer: index, stack, ffn: layer.ffn });
    });
  }
  return found;
}

/** @example layerId("encoder", 2)  // "encoder.layers.2" */
export function layerId(stack: "encoder" | "decoder", layer: number): LayerId {
  return `${stack === "encoder" ? "encoder." : ""}layers.${layer}`;
}

/** The names of all layers in running order. */
export function layerIds(spec: ModelSpec): LayerId[] {
  return (["encoder", "decoder"] as const).flatMap((stack) =>
    (spec[stack]?.layers ?? []).map((_, index) => layerId(stack, index))
  );
}
