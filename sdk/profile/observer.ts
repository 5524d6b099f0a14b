import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import type { LayerId, MoeFfnSpec } from "../model/spec.js";
import type { Sums } from "./observers/sums.js";

/**
 * What one MoE layer did to one chunk of tokens. Rows are real tokens only: padding never reaches an observer.
 * Tensors belong to the sweep and are disposed after the event; keep a copy of what you need.
 */
export interface MoeEvent {
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
  /** runs one stored expert on any rows [M, D] -> [M, D]; `hidden` gives the post-activation vectors [M, F] */
  expert(slot: number): { run(x: Tensor): Tensor2D; hidden(x: Tensor): Tensor2D };
}

/** Gives one statistic from the events of a sweep. Observers of two halves of the data can be merged. */
export interface Observer<R = unknown> {
  name: string;
  see(event: MoeEvent): void | Promise<void>;
  /** it calls `load` before `expert`; the layers of others that run experts are read whole */
  loads?: true;
  result(): Record<LayerId, R>;
}

/** An observer of one shard of the data that takes over what the observer of another shard saw. */
export interface MergeableObserver<R = unknown> extends Observer<R> {
  /** @param other the same kind of observer, made with the same options */
  merge(other: this): void;
  /** what `merge` adds up, and what it takes the maximum of */
  readonly sums?: Sums;
  readonly maxima?: Sums;
}
