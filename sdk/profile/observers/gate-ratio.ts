import type { LayerId } from "../../model/spec.js";
import { mean } from "../../statistics/mean.js";
import { median } from "../../statistics/median.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";

export interface GateRatio {
  /** of the second choice's gate to the first's, over all tokens */ median: number;
  mean: number;
}

/**
 * How much a token's second choice weighs beside its first. The median of an even number of tokens is the mean of
 * the two in the middle. Keeps one number for each token and layer; a layer that takes one expert a token has none.
 */
export function gateRatioObserver(): MergeableObserver<GateRatio> & {
  readonly ratios: ReadonlyMap<LayerId, number[]>;
} {
  const ratios = new Map<LayerId, number[]>();
  const of = (layer: LayerId) => ratios.get(layer) ?? ratios.set(layer, []).get(layer)!;
  return {
    name: "gateRatio",
    ratios,
    async see({ layer, gates, choice }: MoeEvent) {
      const K = gates.shape[1];
      if (K < 2) return;
      const [weights, chosen] = await Promise.all([gates.data(), choice.data()]);
      for (let i = 0; i < weights.length; i += K)
        if (chosen[i] >= 0 && chosen[i + 1] >= 0) of(layer).push(weights[i + 1] / weights[i]);
    },
    result: () =>
      Object.fromEntries([...ratios].map(([layer, all]) => [layer, { median: median(all), mean: mean(all) }])),
    merge(other) {
      for (const [layer, more] of (other as unknown as { ratios: ReadonlyMap<LayerId, number[]> }).ratios)
        for (const ratio of more) of(layer).push(ratio);
    },
  };
}
