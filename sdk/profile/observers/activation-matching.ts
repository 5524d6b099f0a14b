import { assign } from "../../tensor/linalg/assign.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { addNeuronMoments, neuronCorrelation } from "./neuron-correlation.js";
import { Sums } from "./sums.js";

/** permutations[a][b]: neuron of expert b that takes the place of each neuron of expert a */
export type ActivationMatching = Record<number, Record<number, number[]>>;

/**
 * Matches the hidden neurons of experts by what they do (activation matching of arXiv:2209.04836): the assignment
 * that maximises the sum of correlations of post-activation values, over the tokens routed to either expert.
 * With fewer than two such tokens nothing is known and the order stays.
 *
 * @param pairs "first" (default): every expert to the layer's first. "all": every pair, for groups that are not known
 *   yet; E^2 F^2 numbers for each layer
 */
export function activationMatchingObserver({ pairs = "first" }: { pairs?: "first" | "all" } = {}): MergeableObserver<
  ActivationMatching
> {
  const sums = new Sums();
  return {
    name: pairs === "all" ? "activationMatching.all" : "activationMatching",
    sums,
    runsExperts: "one-by-one",
    async see(event: MoeEvent) {
      await addNeuronMoments(sums, event, pairsOf(event.spec.experts, pairs));
      sums.add(event.layer, "tokens", new Array<number>(event.spec.experts).fill(event.input.shape[0]));
      sums.of(event.layer, "width", event.spec.slots[0].width);
    },
    result: () =>
      sums.map((sum) => {
        const matching: ActivationMatching = {};
        for (const [a, b] of pairsOf(sum("tokens").length, pairs)) {
          const { tokens, width, values } = neuronCorrelation(sum, a, b);
          const order = tokens < 2
            ? Array.from(sum("width"), (_, neuron) => neuron)
            : Array.from(assign(values, width, { maximize: true }));
          (matching[a] ??= {})[b] = order;
        }
        return matching;
      }),
    merge: (other) => sums.merge(other.sums!),
  };
}

function pairsOf(experts: number, pairs: "first" | "all"): [number, number][] {
  const found: [number, number][] = [];
  for (let a = 0; a < (pairs === "first" ? 1 : experts); a++)
    for (let b = 0; b < experts; b++) if (a !== b) found.push([a, b]);
  return found;
}
