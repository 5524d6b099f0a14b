import { groupsOf } from "../../merge/averaging.js";
import { zipNeurons } from "../../merge/zip-neurons.js";
import { keepPerLayer } from "../../plan/keep.js";
import { tf } from "../../tensor/index.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { pearson } from "./pearson.js";
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
  const membersOf = (layer: string, experts: number) => groupsOf(layer, experts, Math.round(keepPerLayer(keep, experts, "merge")), seed).members.filter((members) => members.length > 1);
  return {
    name: `zip.${keep}.${seed}`,
    sums,
    loads: true,
    async see(event: MoeEvent) {
      const { layer, spec, input, expert } = event;
      sums.of(layer, "experts", spec.experts);
      const rowsOf = new Map((await tokensByExpert(event)).map(({ expert, rows }) => [expert, rows]));
      for (const [group, members] of membersOf(layer, spec.experts).entries()) {
        const rows = [...new Set(members.flatMap((e) => Array.from(rowsOf.get(e) ?? [])))].sort((a, b) => a - b);
        const total = members.reduce((sum, e) => sum + spec.slots[spec.expertOf[e]].width, 0);
        sums.of(layer, `tokens ${group}`, 1)[0] += rows.length;
        sums.of(layer, `mean ${group}`, total);
        sums.of(layer, `products ${group}`, total * total);
        if (rows.length === 0) continue;
        await event.load?.(members.map((e) => spec.expertOf[e]));
        const [mean, products] = tf.tidy(() => {
          const x = tf.gather(input, tf.tensor1d(rows, "int32"));
          const hidden = tf.concat(members.map((e) => expert(spec.expertOf[e]).hidden(x)), 1);
          return [tf.sum(hidden, 0), tf.matMul(hidden, hidden, true, false)];
        });
        sums.add(layer, `mean ${group}`, await mean.data());
        sums.add(layer, `products ${group}`, await products.data());
        tf.dispose([mean, products]);
      }
    },
    result: () => {
      const layers = sums.map((sum) => sum);
      return Object.fromEntries(Object.entries(layers).map(([layer, sum]) => {
        const matching: ZipMatching = {};
        membersOf(layer, sum("experts").length).forEach((members, group) => {
          const total = sum(`mean ${group}`).length;
          const width = total / members.length;
          const places = zipNeurons(pearson(sum(`products ${group}`), sum(`mean ${group}`), sum(`tokens ${group}`)[0]), total, width);
          members.forEach((e, index) => (matching[e] = places.slice(index * width, (index + 1) * width)));
        });
        return [layer, matching];
      }));
    },
    merge: (other) => sums.merge(other.sums!),
  };
}
