import type { Tensor, Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";
import { tf } from "../tensor/index.js";
import type { Rows } from "./batch.js";
import type { LayerWeights } from "./held-weights.js";
import type { LayerId, MoeFfnSpec } from "./spec.js";

/** Reads experts of a layer that is larger than memory, for those who run them apart. */
export interface ExpertReader {
  /** reads those of these slots that are not there, and gives the others back */
  load(slots: readonly number[]): Promise<void>;
  expert(slot: number): { run(x: Tensor): Tensor2D; hidden(x: Tensor): Tensor2D };
}

/** What one MoE layer did; N = B x T rows, padding included (its choices are -1). */
export interface MoeRecord {
  layer: LayerId;
  spec: MoeFfnSpec;
  weights: LayerWeights;
  /** of a layer that is larger than memory: its experts are read when they are asked for */
  experts?: ExpertReader;
  /** [N] 0 for padding; absent: every row is a real token */
  real?: Uint8Array;
  /** B: sequences, each N / B rows long */
  rows?: number;
  /** [N, D] what the experts read */
  input: Tensor2D;
  /** [N, E] */
  logits: Tensor2D;
  /** [N, K] int32 router outputs; -1: padding, or dropped over capacity */
  choice: Tensor2D;
  /** [N, K] */
  gates: Tensor2D;
  /** [N, D] what the routed experts give, without shared ones; in a latent layer both have its width */
  output: Tensor2D;
}

/** What the router of a mixture of attention heads did; the tensors are those of the running pass. */
export interface HeadsRecord {
  logits: Tensor2D;
  choice: Tensor2D;
  gates: Tensor2D;
}

/** What can be looked at while a layer runs; tensors are those of the running pass, rows include padding. */
export type PassRecord =
  | ({ site: "moe" } & MoeRecord)
  | ({ site: "heads" } & HeadsRecord)
  /** the residual stream [N, D] before the layer, before its feed-forward block, after it */
  | { site: "stream"; at: "in" | "mixed" | "out"; x: Tensor2D }
  /** rows that a matrix of the layer multiplies, by its name without the layer's path; of routed experts: see "moe" */
  | { site: "input"; weight: string; x: Tensor2D }
  /** [N] sums over queries of the attention that each token gets as a key, means over heads */
  | { site: "attention"; received: Tensor };

/** What a sweep shows: of a layer; after the final norm [B, T, D]; logits [B, T, V] in the given order. */
export type SiteRecord = (PassRecord & { layer: LayerId }) | { site: "norm"; x: Tensor } | {
  site: "logits";
  logits: Tensor3D;
};
export type Site = SiteRecord["site"];

/**
 * What a layer keeps of the positions before this pass; owned by `generate`. Keys and values [B, G, S, d], those of the
 * encoder's output, the state of a recurrent block, and the last inputs of a convolution [B, kernel - 1, C].
 */
export interface LayerCache {
  k?: Tensor;
  v?: Tensor;
  crossK?: Tensor;
  crossV?: Tensor;
  state?: Tensor;
  convolution?: Tensor;
}

/** What the layers of one stack share during one pass over B rows of T tokens. */
export interface Pass {
  B: number;
  T: number;
  /** position of the first token; above 0 while decoding with a cache */
  offset: number;
  /** [N] token ids, for routers that choose by them */
  ids?: Int32Array;
  /** of routers that draw; default 0 */
  seed?: number | string;
  real?: Uint8Array;
  /** [B, 1, 1, T] 0 or -1e9, for attention without a causal mask */
  keyMask?: Tensor;
  /** output of the encoder [B, S, D] and its mask [B, 1, 1, S] */
  memory?: Tensor;
  memoryMask?: Tensor;
  /** T5's bias [1, H, T, S], made by the layer that owns the table, used by the layers after it */
  bias?: Tensor;
  /** logits [N, E] of the last router that carries them to the next */
  carried?: Tensor;
  caches?: LayerCache[];
  /** false: no token is dropped over capacity */
  capacity: boolean;
  /** adds something to what the feed-forward block of a layer makes [N, D]: zeros, to have their gradient */
  probe?(layer: LayerId, made: Tensor): Tensor;
  /** who looks at what; nothing is copied for sites that nobody looks at */
  look?: { sites: ReadonlySet<Site>; see(record: PassRecord): void };
}

/** Large enough to leave nothing after the softmax, small enough to stay finite in sums. */
export const MASKED = -1e9;

/** [B, 1, 1, T] additive mask over keys, or undefined without padding. */
export function keyMaskOf(rows: Rows): Tensor | undefined {
  if (!rows.real) return undefined;
  return tf.tensor4d(Float32Array.from(rows.real, (real) => (real ? 0 : MASKED)), [rows.B, 1, 1, rows.T]);
}
