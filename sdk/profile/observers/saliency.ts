import { tf } from "../../tensor/index.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { rows, Sums } from "./sums.js";
import { tokensByExpert } from "./tokens-by-expert.js";

/**
 * Criteria for keeping an expert, [E] each, over the tokens routed to it. g is the softmax over ALL router logits,
 * f the expert's output. An expert without a token has 0 everywhere.
 */
export interface Saliency {
  /** mean of g |f|: REAP, arXiv:2510.13999 */
  reap: number[];
  /** mean and sum of |f|: EAN of arXiv:2504.05586, and the sum of g |f| */
  eanMean: number[];
  eanSum: number[];
  weightedEanSum: number[];
  /** norm of the mean output */
  eanCa: number[];
  /** sum of g */
  weightedFrequency: number[];
  /** largest single output number, not below 0 (signed, as the reference code has it) */
  maxActivation: number[];
}

export interface SaliencyOptions {
  /** divide g by its sum over the token's K choices; default false */
  renormalised?: boolean;
}

const sumNames = ["count", "eanSum", "weightedEanSum", "weightedFrequency"] as const;

/** Measures how much each expert contributes where it is used. Runs each expert once more on its own tokens. */
export function saliencyObserver({ renormalised = false }: SaliencyOptions = {}): MergeableObserver<Saliency> {
  const sums = new Sums();
  const largest = new Sums();
  return {
    name: "saliency",
    sums,
    maxima: largest,
    runsExperts: "one-by-one",
    async see(event: MoeEvent) {
      const { layer, spec, input, expert: run } = event;
      const [E, D] = [spec.experts, input.shape[1]];
      const probabilities = tf.tidy(() => tf.softmax(event.logits));
      const gates = await probabilities.data();
      probabilities.dispose();
      const chosen = await event.choice.data();
      const of = Object.fromEntries(sumNames.map((name) => [name, sums.of(layer, name, E)]));
      const output = sums.of(layer, "output", E * D);
      const top = largest.of(layer, "maxActivation", E);
      for (const { expert, rows } of await tokensByExpert(event)) {
        if (spec.expertOf[expert] < 0) continue;
        await event.load?.([spec.expertOf[expert]]);
        const [norms, total, most] = tf.tidy(() => {
          const y = run(spec.expertOf[expert]).run(tf.gather(input, tf.tensor1d(rows, "int32")));
          return [tf.norm(y, "euclidean", 1), tf.sum(y, 0), tf.max(y)];
        });
        const [length, vector, peak] = await Promise.all([norms.data(), total.data(), most.data()]);
        tf.dispose([norms, total, most]);
        rows.forEach((row, i) => {
          const gate = gates[row * E + expert] / (renormalised ? chosenMass(row) : 1);
          of.count[expert] += 1;
          of.eanSum[expert] += length[i];
          of.weightedEanSum[expert] += gate * length[i];
          of.weightedFrequency[expert] += gate;
        });
        for (let d = 0; d < D; d++) output[expert * D + d] += vector[d];
        top[expert] = Math.max(top[expert], peak[0]);
      }
      function chosenMass(row: number): number {
        const K = event.choice.shape[1];
        let mass = 0;
        for (let k = 0; k < K; k++) if (chosen[row * K + k] >= 0) mass += gates[row * E + chosen[row * K + k]];
        return Math.max(mass, 2 ** -23);
      }
    },
    result() {
      const peaks = largest.map((peak) => Array.from(peak("maxActivation")));
      const results = sums.map((sum) => {
        const [count, eanSum, weightedEanSum] = [sum("count"), sum("eanSum"), sum("weightedEanSum")].map((values) =>
          Array.from(values)
        );
        const mean = (values: number[]) => values.map((value, e) => value / Math.max(1, count[e]));
        const eanCa = rows(sum("output"), sum("output").length / count.length).map((row, e) =>
          Math.hypot(...row) / Math.max(1, count[e])
        );
        return { reap: mean(weightedEanSum), eanMean: mean(eanSum), eanSum, weightedEanSum, eanCa,
          weightedFrequency: Array.from(sum("weightedFrequency")), maxActivation: [] as number[] };
      });
      for (const [layer, result] of Object.entries(results)) result.maxActivation = peaks[layer];
      return results;
    },
    merge(other) {
      sums.merge(other.sums!);
      largest.mergeMaxima(other.maxima!);
    },
  };
}
