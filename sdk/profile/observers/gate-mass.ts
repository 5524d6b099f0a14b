import { tf } from "../../tensor/index.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { Sums } from "./sums.js";

/**
 * The sum over tokens of the softmax over ALL router logits, [E]: how much the router leans to each expert, chosen or
 * not.
 */
export function gateMassObserver(): MergeableObserver<number[]> {
  const sums = new Sums();
  return {
    name: "gateMass",
    sums,
    async see({ layer, logits }: MoeEvent) {
      const mass = tf.tidy(() => tf.sum(tf.softmax(logits), 0));
      sums.add(layer, "mass", await mass.data());
      mass.dispose();
    },
    result: () => sums.map((sum) => Array.from(sum("mass"))),
    merge: (other) => sums.merge(other.sums!),
  };
}
