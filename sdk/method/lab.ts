import type { ModelSpec } from "../model/spec.js";
import type { Observer } from "../profile/observer.js";
import type { Draws } from "../tensor/draws.js";
import type { Changes } from "./changes.js";

/** How far a candidate is from the model, lower is better: nats for each token, or the share of wrong items. */
export type Metric = "kl" | "nll" | "error";
export const metrics = ["kl", "nll", "error"] as const;

/** Items of the calibration data, by number, and how many of their tokens count: the last item is cut. */
export interface Sample {
  items: readonly number[];
  tokens: number;
}

/** For methods that have to try: the calibration data, and the model with changes that nobody else sees. */
export interface Lab {
  readonly spec: ModelSpec;
  /** shows a sweep of the changed model to observers */
  sweep(changes: Changes, observers: readonly Observer[]): Promise<void>;
  /**
   * Scores the changed model. What only some layers change costs those layers and the ones after: variants of a layer
   * and the activations before it are kept. A score that was paid for is kept in the state folder.
   *
   * @throws MoeError `aborted`
   */
  score(changes: Changes, on: Sample, metric: Metric): Promise<number>;
  /** labelled tokens of all items */
  readonly tokens: number;
  /** Draws items, each at most once, until they have so many labelled tokens; undefined: all. */
  sample(tokens: number | undefined, draws: Draws): Sample;
  /** Says how far a search is. */
  progress(done: number, of: number, note: string): void;
  signal?: AbortSignal;
}
