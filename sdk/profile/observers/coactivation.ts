import type { MergeableObserver, MoeEvent } from "../observer.js";
import { rows, Sums } from "./sums.js";

/** How often two experts were chosen by the same token: [E][E], symmetric; the diagonal is each expert's own count. */
export function coactivationObserver(): MergeableObserver<number[][]> {
  const sums = new Sums();
  return {
    name: "coactivation",
    sums,
    async see({ layer, spec, choice }: MoeEvent) {
      const [E, K] = [spec.experts, choice.shape[1]];
      const together = sums.of(layer, "together", E * E);
      const chosen = await choice.data();
      for (let token = 0; token < chosen.length; token += K) {
        for (let a = token; a < token + K; a++) {
          for (let b = token; b < token + K; b++)
            if (chosen[a] >= 0 && chosen[b] >= 0) together[chosen[a] * E + chosen[b]] += 1;
        }
      }
    },
    result: () => sums.map((sum) => rows(sum("together"), Math.sqrt(sum("together").length))),
    merge: (other) => sums.merge(other.sums!),
  };
}
