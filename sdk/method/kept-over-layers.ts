import { byFallingUsage } from "./falling-order.js";

/**
 * Who stays when the scores of all layers are ranked together: as many as the layers would keep apart, but in each at
 * least its `least` best. Of equals the earlier layer and the lower index stay.
 *
 * @param scores [L][E] @param keep [L] experts that a layer would keep alone @param least [L]
 * @returns [L] indices, ascending
 * @example keptOverLayers([[3, 1], [5, 4]], [1, 1], [0, 0])  // [[], [0, 1]]
 */
export function keptOverLayers(
  scores: readonly (readonly number[])[],
  keep: readonly number[],
  least: readonly number[],
): number[][] {
  const kept = scores.map((row, layer) => byFallingUsage(row).slice(0, least[layer]));
  const others = scores.flatMap((row, layer) =>
    byFallingUsage(row).slice(least[layer]).map((expert) => ({ layer, expert, score: row[expert] }))
  ).sort((a, b) => b.score - a.score);
  const count = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0);
  const left = Math.max(0, Math.round(count(keep)) - count(kept.map(({ length }) => length)));
  for (const { layer, expert } of others.slice(0, left)) kept[layer].push(expert);
  return kept.map((row) => row.sort((a, b) => a - b));
}
