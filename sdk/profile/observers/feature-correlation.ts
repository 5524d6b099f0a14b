import { assign } from "../../tensor/linalg/assign.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { addNeuronMoments, neuronCorrelation } from "./neuron-correlation.js";
import { Sums } from "./sums.js";

/**
 * Similarity of experts by their hidden neurons: the mean over neurons of the best correlation with a neuron of the
 * other expert, on the tokens routed to either, mapped from [-1, 1] to [0, 1]; 1 with at most one such token. [E][E]
 *
 * @param best "lsa": one partner each, by linear assignment. "max": the best partner of each neuron of the expert
 *   with the higher index
 */
export function featureCorrelationObserver(best: "lsa" | "max"): MergeableObserver<number[][]> {
  const sums = new Sums();
  return {
    name: `similarity.feature-correlation.${best}`,
    sums,
    runsExperts: "one-by-one",
    async see(event: MoeEvent) {
      await addNeuronMoments(sums, event, pairsOf(event.spec.experts));
      sums.of(event.layer, "experts", event.spec.experts);
    },
    result: () =>
      sums.map((sum) => {
        const E = sum("experts").length;
        const matrix = Array.from({ length: E }, () => new Array<number>(E).fill(1));
        for (const [a, b] of pairsOf(E)) {
          const { tokens, width, values } = neuronCorrelation(sum, a, b);
          if (tokens < 2) continue;
          const total = best === "lsa" ? assigned(values, width) : bestOfColumns(values, width);
          matrix[a][b] = matrix[b][a] = (total / width + 1) / 2;
        }
        return matrix;
      }),
    merge: (other) => sums.merge(other.sums!),
  };
}

function assigned(values: Float32Array, width: number): number {
  return assign(values, width, { maximize: true }).reduce((sum, column, row) => sum + values[row * width + column], 0);
}

function bestOfColumns(values: Float32Array, width: number): number {
  let sum = 0;
  for (let column = 0; column < width; column++) {
    let best = -Infinity;
    for (let row = 0; row < width; row++) best = Math.max(best, values[row * width + column]);
    sum += best;
  }
  return sum;
}

function pairsOf(experts: number): [number, number][] {
  const found: [number, number][] = [];
  for (let a = 0; a < experts; a++) for (let b = a + 1; b < experts; b++) found.push([a, b]);
  return found;
}
