import { type LayerId, type ModelSpec, moeLayers } from "../model/spec.js";
import type { WeightSource } from "../model/weight-source.js";
import { stableRank } from "../tensor/linalg/stable-rank.js";

/** Stable rank of each matrix of each stored expert: [slot] by "up", "gate", "down". */
export type StableRanks = Record<LayerId, Record<string, number[]>>;

/**
 * Measures `sum_i s_i^2 / max_i s_i^2` of every expert matrix: how much of it a low rank could hold (section 3.3 of
 * arXiv:2310.01334). One matrix is in memory at a time; experts that are stored in factors are left out.
 */
export async function stableRanks(spec: ModelSpec, weights: WeightSource): Promise<StableRanks> {
  const ranks: StableRanks = {};
  for (const { id, ffn } of moeLayers(spec)) {
    ranks[id] = {};
    for (const matrix of ffn.gated ? ["up", "gate", "down"] : ["up", "down"]) {
      ranks[id][matrix] = [];
      for (let slot = 0; slot < ffn.slots.length; slot++) {
        const name = `${id}.experts.${slot}.${matrix}`;
        if (!weights.has(name)) continue;
        const [rows, columns] = weights.info(name).shape;
        ranks[id][matrix].push(stableRank({ rows, columns, data: await weights.values(name) }));
      }
    }
  }
  return ranks;
}

/**
 * The mean over a layer's leaders and matrices of `(after - before) / before` (figure 4 of arXiv:2310.01334).
 *
 * @param leaders router output of each slot's leader, for each layer, as the plan names them first
 */
export function stableRankChange(
  before: StableRanks,
  after: StableRanks,
  leaders: Record<LayerId, number[]>,
): Record<LayerId, number> {
  return Object.fromEntries(Object.entries(leaders).map(([layer, experts]) => {
    const changes = Object.keys(after[layer]).flatMap((matrix) =>
      experts.map((expert, slot) => after[layer][matrix][slot] / before[layer][matrix][expert] - 1)
    );
    return [layer, changes.reduce((sum, change) => sum + change, 0) / changes.length];
  }));
}
