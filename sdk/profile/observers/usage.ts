import type { LayerId } from "../../model/spec.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";

export interface Usage {
  /** [E] choices of each router output, over all K choices of every token; dropped choices are not counted */
  counts: number[];
  /** tokens seen */
  tokens: number;
}

/** Counts how often each expert is chosen. */
export function usageObserver(): MergeableObserver<Usage> {
  const layers = new Map<LayerId, Usage>();
  const of = (layer: LayerId, experts: number) => {
    if (!layers.has(layer)) layers.set(layer, { counts: new Array<number>(experts).fill(0), tokens: 0 });
    return layers.get(layer)!;
  };
  return {
    name: "usage",
    async see({ layer, spec, choice }: MoeEvent) {
      const usage = of(layer, spec.experts);
      usage.tokens += choice.shape[0];
      for (const expert of await choice.data()) if (expert >= 0) usage.counts[expert] += 1;
    },
    result: () => Object.fromEntries(layers),
    merge(other) {
      for (const [layer, { counts, tokens }] of Object.entries(other.result())) {
        const usage = of(layer, counts.length);
        usage.tokens += tokens;
        counts.forEach((count, expert) => (usage.counts[expert] += count));
      }
    },
  };
}
