import { tf } from "../../tensor/index.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { Sums } from "./sums.js";

/**
 * The sum over the tokens that chose an expert of the softmax over ALL router logits, [E]: what the router gave where
 * it counted.
 */
export function chosenGateMassObserver(): MergeableObserver<number[]> {
  const sums = new Sums();
  return {
    name: "chosenGateMass",
    sums,
    async see({ layer, spec, logits, choice }: MoeEvent) {
      const softmax = tf.softmax(logits);
      const [gates, chosen] = [await softmax.data(), await choice.data()];
      softmax.dispose();
      const [E, K] = [spec.experts, choice.shape[1]];
      const mass = sums.of(layer, "mass", E);
      chosen.forEach((expert, i) => {
        if (expert >= 0) mass[expert] += gates[Math.floor(i / K) * E + expert];
      });
    },
    result: () => sums.map((sum) => Array.from(sum("mass"))),
    merge: (other) => sums.merge(other.sums!),
  };
}
