import type { Tensor2D } from "@tensorflow/tfjs-core";
import { createHash } from "node:crypto";
import { disposeExperts, readExpert } from "../../match/aligned-experts.js";
import type { ExpertMatrices } from "../../match/weight-matching.js";
import { zipNeurons } from "../../match/zip-neurons.js";
import type { LayerId } from "../../model/spec.js";
import type { WeightSource } from "../../model/weight-source.js";
import { tf } from "../../tensor/index.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { addGroupMoments, groupCorrelation } from "./group-moments.js";
import { pearson } from "./pearson.js";
import { Sums } from "./sums.js";
import { tokensByExpert } from "./tokens-by-expert.js";

/** The place of each hidden neuron of an expert in its group's merged expert; experts that stay alone are absent. */
export type GroupNeurons = Record<number, number[]>;

/**
 * How neurons of a group find their places:
 * - "zip": pair by pair, the most correlated first, within and across experts
 * - "act", "weight", "act+weight": each goes to the neuron of the group's first expert that it correlates with most, by
 *   activations, by weights, or by the sum of both
 */
export const neuronMatches = ["zip", "act", "weight", "act+weight"] as const;
export type NeuronMatch = (typeof neuronMatches)[number];

/** The name under which `groupNeuronsObserver` puts its result. */
export function groupNeuronsName(match: NeuronMatch, groups: Record<LayerId, number[][]>): string {
  return `groupNeurons.${match}.${createHash("sha256").update(JSON.stringify(groups)).digest("hex").slice(0, 12)}`;
}

/**
 * Matches the hidden neurons inside given groups of experts. Activations are taken on the tokens routed to the members;
 * a
 * token that chose two of them counts twice (HC-SMoE, arXiv:2410.08589, as its code runs). Keeps (m F)^2 numbers for
 * each group of m.
 *
 * @param groups router outputs of each group, the one that the others are matched to first
 * @param weights of the model that is swept; read for "weight" alone
 */
export function groupNeuronsObserver(
  match: NeuronMatch,
  groups: Record<LayerId, number[][]>,
  weights: WeightSource,
): MergeableObserver<GroupNeurons> {
  const sums = new Sums();
  const ofWeights = new Map<string, Float32Array>();
  // places of "zip" are numbered by first appearance, whoever leads
  const several = (layer: LayerId) =>
    (groups[layer] ?? []).filter((members) => members.length > 1).map(
      (members) => (match === "zip" ? [...members].sort((a, b) => a - b) : members)
    );
  return {
    name: groupNeuronsName(match, groups),
    sums,
    runsExperts: "one-by-one",
    async see(event: MoeEvent) {
      const { layer, spec } = event;
      const rowsOf = new Map((await tokensByExpert(event)).map(({ expert, rows }) => [expert, rows]));
      sums.of(layer, "seen", 1)[0] += 1;
      for (const [group, members] of several(layer).entries()) {
        const rows = members.flatMap((e) => Array.from(rowsOf.get(e) ?? []));
        if (match.includes("weight") && !ofWeights.has(`${layer} ${group}`))
          ofWeights.set(`${layer} ${group}`, await weightCorrelation(layer, members.map((e) => spec.expertOf[e])));
        await addGroupMoments(sums, event, group, members, rows);
      }
    },
    result: () => {
      const layers = sums.map((sum) => sum);
      return Object.fromEntries(Object.entries(layers).map(([layer, sum]) => {
        const places: GroupNeurons = {};
        several(layer).forEach((members, group) => {
          const { n, values: correlation } = groupCorrelation(sum, group);
          const byWeight = ofWeights.get(`${layer} ${group}`);
          const found = match === "zip"
            ? zipNeurons(correlation, n, n / members.length)
            : toFirst(match === "act"
              ? correlation
              : match === "weight"
              ? byWeight!
              : correlation.map((value, i) => value + byWeight![i]), n, n / members.length);
          members.forEach((
            e,
            index,
          ) => (places[e] = found.slice((index * n) / members.length, ((index + 1) * n) / members.length)));
        });
        return [layer, places];
      }));
    },
    merge: (other) => sums.merge(other.sums!),
  };

  /** correlation of neurons over their own incoming and outgoing weights, n x n */
  async function weightCorrelation(layer: LayerId, slots: number[]): Promise<Float32Array> {
    const experts: ExpertMatrices[] = [];
    for (const slot of slots) experts.push(await readExpert(weights, layer, slot));
    const [sum, products, size] = tf.tidy(() => {
      const neurons = tf.concat(
        experts.map(({ up, gate, down }) =>
          tf.concat([up, ...(gate ? [gate] : []), tf.transpose(down) as Tensor2D], 1)
        ),
        0,
      );
      return [tf.sum(neurons, 1), tf.matMul(neurons, neurons, false, true), tf.scalar(neurons.shape[1])];
    });
    const values = pearson(Float64Array.from(await products.data()), Float64Array.from(await sum.data()),
      (await size.data())[0]);
    tf.dispose([sum, products, size]);
    disposeExperts(experts);
    return values;
  }
}

/** for each neuron the one among the first `width` that it correlates with most; those stay where they are */
function toFirst(correlation: Float32Array, n: number, width: number): number[] {
  return Array.from({ length: n }, (_, neuron) => {
    if (neuron < width) return neuron;
    let best = 0;
    for (let first = 1; first < width; first++)
      if (correlation[first * n + neuron] > correlation[best * n + neuron]) best = first;
    return best;
  });
}
