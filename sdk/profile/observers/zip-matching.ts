import { groupsOf } from "../../match/random-groups.js";
import { zipNeurons } from "../../match/zip-neurons.js";
import { keepPerLayer } from "../../plan/keep.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { addGroupMoments, groupCorrelation } from "./group-moments.js";
import { Sums } from "./sums.js";
import { tokensByExpert } from "./tokens-by-expert.js";

/** zip[e]: place of each hidden neuron of expert e in its group's merged expert; experts that stay alone are absent */
export type ZipMatching = Record<number, number[]>;

/**
 * Correlates the hidden neurons of all members of a random group, on the tokens routed to any of them, and merges
 * them pair by pair until one expert's width is left. Keeps (m F)^2 numbers for each group of m.
 *
 * @param keep groups of a layer, and the seed that deals them: the same as the method is given
 */
export function zipMatchingObserver(keep: number, seed: number): MergeableObserver<ZipMatching> {
  const sums = new Sums();
  const membersOf = (layer: string, experts: number) =>
    groupsOf(layer, experts, Math.round(keepPerLayer(keep, experts, "merge")), seed).members.filter((members) =>
      members.length > 1
    );
  return {
    name: `zip.${keep}.${seed}`,
    sums,
    runsExperts: "one-by-one",
    async see(event: MoeEvent) {
      const { layer, spec } = event;
      sums.of(layer, "experts", spec.experts);
      const rowsOf = new Map((await tokensByExpert(event)).map(({ expert, rows }) => [expert, rows]));
      for (const [group, members] of membersOf(layer, spec.experts).entries()) {
        const rows = [...new Set(members.flatMap((e) => Array.from(rowsOf.get(e) ?? [])))].sort((a, b) => a - b);
        await addGroupMoments(sums, event, group, members, rows);
      }
    },
    result: () => {
      const layers = sums.map((sum) => sum);
      return Object.fromEntries(Object.entries(layers).map(([layer, sum]) => {
        const matching: ZipMatching = {};
        membersOf(layer, sum("experts").length).forEach((members, group) => {
          const { n, values } = groupCorrelation(sum, group);
          const width = n / members.length;
          const places = zipNeurons(values, n, width);
          members.forEach((e, index) => (matching[e] = places.slice(index * width, (index + 1) * width)));
        });
        return [layer, matching];
      }));
    },
    merge: (other) => sums.merge(other.sums!),
  };
}
