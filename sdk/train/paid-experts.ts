import { isFree, type ModelSpec, moeLayers } from "../model/spec.js";
import type { Load } from "./collapse.js";

/**
 * Mean number of experts that compute for a token, over the MoE layers: zero, copy and constant ones and router outputs
 * without an expert do not (the Load of AdaMoE, arXiv:2406.13233). Undefined where no router was looked at.
 */
export function paidExperts(load: Load, spec: ModelSpec): number | undefined {
  const each = moeLayers(spec).flatMap(({ id, ffn: { expertOf, slots } }) => {
    const seen = load[id];
    if (!seen?.tokens) return [];
    const paid = seen.counts.filter((_, output) => slots[expertOf[output]] && !isFree(slots[expertOf[output]]));
    return [paid.reduce((sum, count) => sum + count, 0) / seen.tokens];
  });
  return each.length ? each.reduce((sum, one) => sum + one, 0) / each.length : undefined;
}
