import { MoeError } from "../errors.js";
import { byFallingUsage } from "./falling-order.js";

export interface DominantOptions {
  /** "adaptive" (default): over all layers together. "uniform": `keep` in every layer. */
  ratio?: "adaptive" | "uniform";
  /** indices of layers that keep all of their experts and so count fully in the budget; default none */
  excluded?: number[];
}

/**
 * Chooses the experts that stay, over all layers together.
 * Usage is normalised in each layer and the most used expert of a layer counts as 1, so no layer is emptied.
 * The first expert over the budget sets a threshold and only strictly greater usage stays: a tie at the
 * threshold loses every expert that has it, and a budget of all experts loses at least the least used one.
 * Follows section 3.2 of arXiv:2310.01334, and its code where the text is silent.
 *
 * @param usage L rows of E shares, each row sums to 1
 * @param keep experts per layer on average, 1 <= keep <= E; one number, or one for each layer
 * @returns for each layer the kept expert indices, most used first, ties by lower index
 * @throws MoeError `keep-out-of-range`
 * @example dominantExperts([[0.7, 0.2, 0.1], [0.4, 0.3, 0.3]], 2)  // [[0], [0, 1, 2]]
 */
export function dominantExperts(usage: number[][], keep: number | number[], options: DominantOptions = {}): number[][] {
  const excluded = new Set(options.excluded ?? []);
  const keepOf = (layer: number) => (typeof keep === "number" ? keep : keep[layer]);
  usage.forEach((shares, layer) => {
    if (!(keepOf(layer) >= 1 && keepOf(layer) <= shares.length)) {
      throw new MoeError("keep-out-of-range",
        `dominantExperts: keep is ${keepOf(layer)} of ${shares.length} experts; accepted is 1 to `
          + `${shares.length}. Change keep.`);
    }
  });

  if (options.ratio === "uniform") {
    return usage.map((shares, layer) =>
      byFallingUsage(shares).slice(0, excluded.has(layer) ? shares.length : Math.round(keepOf(layer)))
    );
  }

  // u_l: usage with the top expert at 1; an excluded layer is all ones
  const raised = usage.map((shares, layer) => {
    const top = byFallingUsage(shares)[0];
    return shares.map((share, expert) => (excluded.has(layer) || expert === top ? 1 : share));
  });
  let budget = 0;
  usage.forEach((shares, layer) => (budget += excluded.has(layer) ? shares.length : keepOf(layer)));
  budget = Math.round(budget);

  const falling = raised.flat().sort((a, b) => b - a);
  const threshold = falling[Math.min(budget, falling.length - 1)];
  return raised.map((shares, layer) => {
    const count = shares.filter((share) => share > threshold).length;
    // everything is at 1 (every layer excluded): nothing is over the budget
    return byFallingUsage(usage[layer]).slice(0, threshold === 1 ? shares.length : count);
  });
}
