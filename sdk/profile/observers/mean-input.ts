import { tf } from "../../tensor/index.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { rows, Sums } from "./sums.js";
import { tokensByExpert } from "./tokens-by-expert.js";

/** Mean input over the tokens routed to each expert, [E][D]; zeros for an expert without a token. */
export function meanInputObserver(): MergeableObserver<number[][]> {
  return routedMean("meanInput", (input) => input);
}

/** Mean of the absolute input over the tokens routed to each expert, [E][D]; zeros for an expert without a token. */
export function meanAbsInputObserver(): MergeableObserver<number[][]> {
  return routedMean("meanAbsInput", (input) => tf.abs(input));
}

type Tensor = MoeEvent["input"];

function routedMean(name: string, of: (input: Tensor) => Tensor): MergeableObserver<number[][]> {
  const sums = new Sums();
  return {
    name,
    sums,
    async see(event: MoeEvent) {
      const { layer, spec, input } = event;
      const D = input.shape[1];
      const total = sums.of(layer, "total", spec.experts * D);
      const count = sums.of(layer, "count", spec.experts);
      for (const { expert, rows } of await tokensByExpert(event)) {
        const sum = tf.tidy(() => tf.sum(of(tf.gather(input, tf.tensor1d(rows, "int32"))), 0));
        const values = await sum.data();
        sum.dispose();
        for (let d = 0; d < D; d++) total[expert * D + d] += values[d];
        count[expert] += rows.length;
      }
    },
    result: () => sums.map((sum) => {
      const count = sum("count");
      return rows(sum("total"), sum("total").length / count.length).map((row, e) => row.map((value) => value / Math.max(1, count[e])));
    }),
    merge: (other) => sums.merge(other.sums!),
  };
}
