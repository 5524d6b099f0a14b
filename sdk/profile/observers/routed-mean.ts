import { tf } from "../../tensor/index.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { rows, Sums } from "./sums.js";
import { tokensByExpert } from "./tokens-by-expert.js";

type Tensor = MoeEvent["input"];

/**
 * Mean of something over the tokens routed to each expert, [E][D]; zeros for an expert without a token.
 *
 * @param of what is averaged: from the inputs [n, D] of one expert's tokens, and that expert where it takes two
 *   arguments
 */
export function routedMeanObserver(
  name: string,
  of: (input: Tensor, run: (x: Tensor) => Tensor) => Tensor,
): MergeableObserver<number[][]> {
  const sums = new Sums();
  return {
    name,
    sums,
    ...(of.length > 1 && { runsExperts: "one-by-one" }),
    async see(event: MoeEvent) {
      const { layer, spec, input } = event;
      const D = input.shape[1];
      const total = sums.of(layer, "total", spec.experts * D);
      const count = sums.of(layer, "count", spec.experts);
      for (const { expert, rows } of await tokensByExpert(event)) {
        if (of.length > 1 && spec.expertOf[expert] >= 0) await event.load?.([spec.expertOf[expert]]);
        const sum = tf.tidy(() =>
          tf.sum(of(tf.gather(input, tf.tensor1d(rows, "int32")), (x) => event.expert(spec.expertOf[expert]).run(x)), 0)
        );
        const values = await sum.data();
        sum.dispose();
        for (let d = 0; d < D; d++) total[expert * D + d] += values[d];
        count[expert] += rows.length;
      }
    },
    result: () =>
      sums.map((sum) => {
        const count = sum("count");
        return rows(sum("total"), sum("total").length / count.length).map((row, e) =>
          row.map((value) => value / Math.max(1, count[e]))
        );
      }),
    merge: (other) => sums.merge(other.sums!),
  };
}
