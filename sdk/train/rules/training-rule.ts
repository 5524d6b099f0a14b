import type { RouterSpec } from "../../model/router-spec.js";
import { type LayerId, layerId, type ModelSpec } from "../../model/spec.js";

/**
 * What is different in the forward pass of a step: fewer choices, other experts that take part. The weights are the
 * same, and what a rule says follows from the step alone, so that a resumed run sees the same.
 */
export interface TrainingRule {
  /** @param step from 1 */
  before(step: number, steps: number, spec: ModelSpec): ModelSpec;
}

/** A copy in which the routers of MoE layers say something else. */
export function withRouters(
  spec: ModelSpec,
  change: (router: RouterSpec, layer: LayerId, experts: number) => Partial<RouterSpec>,
): ModelSpec {
  const changed = { ...spec };
  for (const stack of ["encoder", "decoder"] as const) {
    const of = spec[stack];
    if (!of) continue;
    changed[stack] = { ...of, layers: of.layers.map((layer, index) => {
      if (layer.ffn?.kind !== "moe") return layer;
      const { router, experts } = layer.ffn;
      return { ...layer,
        ffn: { ...layer.ffn, router: { ...router, ...change(router, layerId(stack, index), experts) } } };
    }) };
  }
  return changed;
}
