import { tf } from "../../tensor/index.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { rows, Sums } from "./sums.js";
import { tokensByExpert } from "./tokens-by-expert.js";

/**
 * How much the outputs of every expert vary over the tokens routed to it, [E]: the length of the vector of their
 * standard deviations (n - 1 in the denominator); 0 for an expert with fewer than two tokens. MoNE, arXiv:2507.00390.
 */
export function outputSpreadObserver(): MergeableObserver<number[]> {
  const sums = new Sums();
  return {
    name: "outputSpread",
    sums,
    runsExperts: "one-by-one",
    async see(event: MoeEvent) {
      const { layer, spec: { experts: E, expertOf }, input, load } = event;
      const D = input.shape[1];
      const [count, squares, total] = [sums.of(layer, "count", E), sums.of(layer, "squares", E),
        sums.of(layer, "total", E * D)];
      for (const { expert, rows } of await tokensByExpert(event)) {
        if (expertOf[expert] < 0) continue;
        await load?.([expertOf[expert]]);
        const y = tf.tidy(() => event.expert(expertOf[expert]).run(tf.gather(input, tf.tensor1d(rows, "int32"))));
        const values = await y.data();
        y.dispose();
        // in double precision: the difference of two large sums is what is left
        for (let i = 0; i < values.length; i++) {
          squares[expert] += values[i] ** 2;
          total[expert * D + (i % D)] += values[i];
        }
        count[expert] += rows.length;
      }
    },
    result: () =>
      sums.map((sum) => {
        const [count, squares] = [sum("count"), sum("squares")];
        return rows(sum("total"), sum("total").length / count.length).map((row, e) => {
          const n = count[e];
          const mean2 = row.reduce((all, value) => all + value ** 2, 0) / Math.max(1, n);
          return n < 2 ? 0 : Math.sqrt(Math.max(0, squares[e] - mean2) / (n - 1));
        });
      }),
    merge: (other) => sums.merge(other.sums!),
  };
}
