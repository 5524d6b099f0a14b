import type { LayerId, ModelSpec } from "../model/spec.js";
import { moeLayers } from "../model/spec.js";
import { effectiveExperts } from "../statistics/effective-experts.js";

/** What routers chose over some steps: how often each output of a layer, and by how many tokens. */
export type Load = Record<LayerId, { counts: number[]; tokens: number }>;

/**
 * Layers whose learned router sends nearly every token to the same experts: the effective number of experts is at most
 * a tenth above the choices of a token, where twice as many could be chosen.
 */
export function collapsedLayers(load: Load, spec: ModelSpec): LayerId[] {
  return moeLayers(spec).flatMap(({ id, ffn: { experts, router } }) => {
    const seen = load[id];
    const learned = !router.score?.frozen && router.score?.kind !== "hash" && router.score?.kind !== "random";
    if (!seen || !learned || seen.tokens === 0) return [];
    const choices = seen.counts.reduce((sum, count) => sum + count, 0) / seen.tokens;
    if (choices === 0 || experts - (router.masked?.length ?? 0) < 2 * choices) return [];
    return effectiveExperts(sharesOf(seen.counts)) <= 1.1 * Math.max(1, choices) ? [id] : [];
  });
}

/** Shares of the choices, which sum to 1. */
export function sharesOf(counts: readonly number[]): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => count / total);
}
