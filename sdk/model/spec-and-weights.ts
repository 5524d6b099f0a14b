import type { ModelSpec } from "./spec.js";
import type { WeightSource } from "./weight-source.js";

/** What a plan is applied to, and what comes out. */
export interface SpecAndWeights {
  spec: ModelSpec;
  weights: WeightSource;
}
