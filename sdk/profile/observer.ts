import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import type { LayerId, MoeFfnSpec } from "../model/spec.js";
import type { Sums } from "./observers/sums.js";

/**
 * What one MoE layer did to one chunk of tokens. Rows are real tokens only: padding never reaches an observer.
 * Tensors belong to the sweep and are disposed after the event; keep a copy of what you need.
 */
export interface MoeEvent {
  site: "moe";
  layer: LayerId;
  spec: MoeFfnSpec;
  /** [N, D] what router and experts see */
  input: Tensor2D;
  /** [N, E] raw router logits */
  logits: Tensor2D;
  /** [N, K] int32 router outputs chosen; -1: dropped over capacity */
  choice: Tensor2D;
  /** [N, K] weight of each choice */
  gates: Tensor2D;
  /** [N, D] output of the routed experts */
  output: Tensor2D;
  /**
   * Of a layer that is larger than memory: reads these slots, which `expert` can then run, and gives others back;
   * absent
   * where all are there.
   */
  load?(slots: readonly number[]): Promise<void>;
  /**
   * of an observer that `runsExperts`: runs one stored expert on any rows [M, D] -> [M, D]; `hidden` gives the
   * post-activation vectors [M, F]
   */
  expert(slot: number): { run(x: Tensor): Tensor2D; hidden(x: Tensor): Tensor2D };
}

/** Where a model can be looked at while it runs. */
export type Site = "moe" | "stream" | "input" | "attention";

export type SiteEvent =
  | MoeEvent
  /** the residual stream [N, D] of one batch before a layer, before its feed-forward block, and after it */
  | { site: "stream"; layer: LayerId; batch: number; at: "in" | "mixed" | "out"; x: Tensor2D }
  /** [N, in] rows that a matrix multiplies; of an expert those that were sent to it, with their gates [N] */
  | { site: "input"; layer: LayerId; weight: string; x: Tensor2D; gates?: Tensor }
  /** [N] sums over queries of the attention that each token of one batch gets as a key, means over heads */
  | { site: "attention"; layer: LayerId; batch: number; received: Tensor };

/** Gives one statistic from the events of a sweep. Observers of two halves of the data can be merged. */
export interface Observer<R = unknown> {
  name: string;
  /** default: "moe" alone; nothing is computed or copied for a site that no observer looks at */
  at?: readonly Site[];
  see(event: SiteEvent): void | Promise<void>;
  /** it runs experts: each after `load`, or all of a layer at once, which is then read whole; absent: none */
  runsExperts?: "one-by-one" | "all";
  /** what its result is of: MoE layers (default), layers of any kind, or matrices by their names */
  of?: "layers" | "blocks" | "weights";
  /** it compares layers with one another, and so sees a whole sweep */
  spans?: true;
  result(): Record<string, R>;
  /** too large for JSON: stands beside the profile, by weight or layer, and a plan names it in `fit.statistic` */
  tensors?(): TensorMap;
}

/** Numbers and shapes by name. */
export type TensorMap = Map<string, { shape: number[]; values: Float32Array }>;

/** An observer of one shard of the data that takes over what the observer of another shard saw. */
export interface MergeableObserver<R = unknown> extends Observer<R> {
  /** @param other the same kind of observer, made with the same options */
  merge(other: this): void;
  /** what `merge` adds up, and what it takes the maximum of */
  readonly sums?: Sums;
  readonly maxima?: Sums;
}
