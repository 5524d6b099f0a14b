import type { Activation } from "../tensor/ops/activation.js";
import type { AttentionSpec, SoftmaxAttentionSpec } from "./attention-spec.js";
import type { MatrixForm } from "./form/matrix-form.js";
import type { NormSpec } from "./norm-spec.js";
import type { RouterSpec } from "./router-spec.js";
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
 * {stack}layers.{l}.router, .router.{choiceBias|mix|hidden|carry|temperature},
 * {stack}layers.{l}.experts.{slot}.{gate|up|down},
 * {stack}layers.{l}.expertsBias, {stack}layers.{l}.{latentDown|latentUp}
 * {stack}layers.{l}.experts.{slot}.{value|blend} of constant experts
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
  /** forms of matrices by their names in the layer ("attention.q", "ffn.down"); experts have theirs in `slots` */
  maps?: Record<string, MatrixForm>;
}

export interface ResidualFactors {
  stream: number;
  block: number;
}

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
  /** multiplies what all experts but shared ones read; the router reads x as it is (MoE++'s code: K) */
  inputScale?: number;
  /** a token keeps what its gates leave to 1 of itself: y = sum_i g_i E_i(x) + (1 - sum_i g_i) x (MoEC) */
  passes?: boolean;
  /** one vector that is added to every token's output */
  outputBias?: boolean;
  /** gate and up are cut at +- this, and the hidden vector is gate sigmoid(1.702 gate) (up + 1): gpt-oss */
  clamp?: number;
  /**
   * experts read `latentDown` x and give what `latentUp` [D, width] brings back to the stream; router and shared
   * experts read x (Nemotron 3)
   */
  latent?: { width: number; bias: boolean };
}

/** Length of the vectors that experts read and give. @param D model width */
export function latentWidth({ latent }: Pick<MoeFfnSpec, "latent">, D: number): number {
  return latent?.width ?? D;
}

/** How one expert is stored. */
export type ExpertSpec = DenseExpertSpec | FreeExpertSpec;

/** An expert with hidden neurons: `width` is F. `maps`: forms of its matrices; one that is absent is itself. */
export interface DenseExpertSpec {
  form: "dense";
  width: number;
  maps?: Partial<Record<"up" | "gate" | "down", MatrixForm>>;
}

/**
 * An expert without hidden neurons: "zero" gives nothing, "copy" its input x, "constant" a vector v, which is stored as
 * `experts.{slot}.value`; with `blend` a1 x + a2 v, where a = softmax(`experts.{slot}.blend` [2, D] x) (MoE++,
 * arXiv:2410.07348, equation 5). `width` counts for nothing.
 */
export type FreeExpertSpec = { form: "zero" | "copy"; width: number } | { form: "constant"; width: number;
  blend?: boolean };

/** Whether an expert has no hidden neurons and so costs next to nothing. */
export function isFree(slot: ExpertSpec): slot is FreeExpertSpec {
  return slot.form === "zero" || slot.form === "copy" || slot.form === "constant";
}

/** Canonical path of a layer, e.g. "encoder.layers.2" or "layers.0"; the key of profiles and plans. */
export type LayerId = string;

/** The MoE layers of a model in running order: encoder first. */
export function moeLayers(spec: ModelSpec): { id: LayerId; layer: number; stack: "encoder" | "decoder";
  ffn: MoeFfnSpec }[] {
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
