/**
 * Everything about an architecture that is not a number in a weight. Plain JSON, produced from a
 * checkpoint's config.json by a family file (`data/families/`), changed by plans, read by the blocks.
 *
 * Canonical weight names follow this structure. A stack's prefix is "" (decoder or decoder-only) or "encoder.":
 *   embed, position, head, finalNorm, encoder.embed, encoder.finalNorm
 *   {stack}layers.{l}.norm.{attention|cross|ffn}
 *   {stack}layers.{l}.attention.{q|k|v|o|relativeBias|qNorm|kNorm|sinks}, .cross.{q|k|v|o}
 *   {stack}layers.{l}.ffn.{gate|up|down}
 *   {stack}layers.{l}.router, {stack}layers.{l}.experts.{slot}.{gate|up|down}, {stack}layers.{l}.shared.{gate|up|down}
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
  /** "shared": this stack uses the decoder's `embed` */
  embedding: { scale: number; shared?: boolean };
  layers: LayerSpec[];
  finalNorm?: NormSpec;
}

export interface HeadSpec {
  /** the transposed embedding is the head */
  tied: boolean;
  /** multiplies the normalised hidden state before the head, e.g. D^-0.5 in T5 */
  scale: number;
  bias: boolean;
}

/** An absent block is a dropped block. */
export interface LayerSpec {
  attention?: AttentionSpec;
  cross?: AttentionSpec;
  ffn?: DenseFfnSpec | MoeFfnSpec;
  norm: NormSpec;
}

export interface NormSpec { kind: "rms" | "layer"; eps: number; /** added to the weight before it multiplies */ offset?: number; bias?: boolean }

export interface AttentionSpec {
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
  bias: { q: boolean; k: boolean; v: boolean; o: boolean };
  rotary?: RotarySpec;
  /** T5's bucketed bias; the layer that owns the table shares it with the layers after it */
  relative?: { buckets: number; maxDistance: number; bidirectional: boolean; own: boolean };
}

export interface RotarySpec { theta: number; dim: number; interleaved: boolean; scaling?: Record<string, unknown> }

export type Activation = "relu" | "silu" | "gelu" | "gelu-tanh";

export interface DenseFfnSpec { kind: "dense"; width: number; activation: Activation; gated: boolean; bias: boolean }

export interface MoeFfnSpec {
  kind: "moe";
  /** E: outputs of the router */
  experts: number;
  /** slot that runs for router output e; -1: nothing runs and the output is zero */
  expertOf: number[];
  /** the experts that are stored */
  slots: ExpertSpec[];
  shared?: DenseFfnSpec;
  router: RouterSpec;
  activation: Activation;
  gated: boolean;
  bias: boolean;
}

/** How one expert is stored. `width` is F. New forms are one file each in model/expert/. */
export type ExpertSpec =
  | { form: "dense"; width: number }
  | { form: "low-rank-sparse"; width: number; rank: number; /** kept rows of the sparse remainder, per matrix */ rows: Record<string, number> }
  | { form: "zero"; width: number };

export interface RouterSpec {
  kind: "softmax";
  /** K */
  topK: number;
  /** gates of the chosen are divided by their sum */
  normalize: boolean;
  scale: number;
  bias: boolean;
  /** tokens per expert and sequence; later ones are dropped. 0: no limit */
  capacity: number;
  /** router outputs that are never chosen */
  masked?: number[];
  /** a token's further choices are skipped when their gate is below this share of its first one (arXiv:2402.14800) */
  skipBelow?: number;
  /** choices of a token that fall into one slot run once, with the sum of their gates: the same result for fewer FLOPs */
  combine?: boolean;
}

/** Canonical path of a layer, e.g. "encoder.layers.2" or "layers.0"; the key of profiles and plans. */
export type LayerId = string;

/** The MoE layers of a model in running order: encoder first. */
export function moeLayers(spec: ModelSpec): { id: LayerId; layer: number; stack: "encoder" | "decoder"; ffn: MoeFfnSpec }[] {
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
