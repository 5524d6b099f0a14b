import type { LayerId } from "../model/spec.js";
import type { WeightName } from "../plan/recipe.js";

/**
 * What was measured about a model: plain data, bound to the fingerprint of the model that it came from.
 * Rows of matrices are plain number arrays so that a profile is JSON; E experts, N tokens, D model width.
 * Statistics that nobody asked for are absent.
 */
export interface Profile {
  version: 1;
  model: { id: string; fingerprint: string };
  /** `options`: which items, as `.profile` was told; absent where batches were given */
  data: { id: string; fingerprint: string; seed: number; options?: Record<string, unknown> };
  /** non-padding tokens seen, per stack */
  tokens: { encoder?: number; decoder: number };
  /** of the MoE layers */
  layers: Record<LayerId, LayerProfile>;
  /** of layers of any kind: statistics of the residual stream and of blocks, by observer name */
  blocks?: Record<LayerId, Record<string, unknown>>;
  /** of matrices, by their names: statistics of what they multiply, by observer name */
  weights?: Record<WeightName, Record<string, unknown>>;
  provenance?: Record<string, unknown>;
}

export interface LayerProfile {
  experts: number;
  /** [E] stored slot of each router output, -1 for none; absent: each has its own */
  expertOf?: number[];
  /** tokens seen by this layer */
  tokens: number;
  /** [E] how often each expert was chosen, over all K choices of every token */
  counts: number[];
  /** [E][E] cosine of router-logit columns over tokens, in [-1, 1] */
  routerLogitCosine?: number[][];
  /** [E][E] how often two experts were chosen by the same token */
  coactivation?: number[][];
  /** [E][D] mean output of each expert over ALL calibration tokens */
  meanOutput?: number[][];
  /** [E][D] mean input over the tokens routed to the expert */
  meanInput?: number[][];
  /** any further statistic, by observer name */
  [statistic: string]: unknown;
}

/** Shares per layer from counts: each row sums to 1; a layer without tokens is uniform. */
export function usage(layer: LayerProfile): number[] {
  const total = layer.counts.reduce((sum, count) => sum + count, 0);
  return layer.counts.map((count) => (total > 0 ? count / total : 1 / layer.experts));
}
