import type { LayerId } from "../../model/spec.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";

export interface Usage {
  /** [E] choices of each router output, over all K choices of every token; dropped choices are not counted */
  counts: number[];
  /** tokens seen */
  tokens: number;
  /** [E] stored slot of each router output */
  expertOf: number[];
}

/** Counts how often each expert is chosen. */
export function usageObserver(): MergeableObserver<Usage> {
  const layers = new Map<LayerId, Usage>();
  const of = (layer: LayerId, expertOf: number[]) => {
    if (!layers.has(layer))
      layers.set(layer, { counts: new Array<number>(expertOf.length).fill(0), tokens: 0, expertOf: [...expertOf] });
    return layers.get(layer)!;
  };
  return {
    name: "usage",
    async see({ layer, spec, choice }: MoeEvent) {
      const usage = of(layer, spec.expertOf);
      usage.tokens += choice.shape[0];
      for (const expert of await choice.data()) if (expert >= 0) usage.counts[expert] += 1;
    },
    result: () => Object.fromEntries(layers),
    merge(other) {
      for (const [layer, { counts, tokens, expertOf }] of Object.entries(other.result())) {
        const usage = of(layer, expertOf);
        usage.tokens += tokens;
        counts.forEach((count, expert) => (usage.counts[expert] += count));
      }
    },
  };
}
