import { tf } from "../../tensor/index.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { routedMeanObserver } from "./routed-mean.js";
import { rows, Sums } from "./sums.js";

/**
 * Mean output of every expert over ALL tokens, routed to it or not: what HC-SMoE (arXiv:2410.08589) clusters.
 * Runs each stored expert on everything, so it costs E / K times the layer. [E][D]; a router output without an
 * expert has a row of zeros.
 */
export function meanOutputObserver(): MergeableObserver<number[][]> {
  return overAllTokens("meanOutput", false);
}

/** The same of outputs times the softmax over all router logits: what REAM (arXiv:2604.04356) compares. */
export function gatedMeanOutputObserver(): MergeableObserver<number[][]> {
  return overAllTokens("gatedMeanOutput", true);
}

function overAllTokens(name: string, gated: boolean): MergeableObserver<number[][]> {
  const sums = new Sums();
  return {
    name,
    sums,
    runsExperts: "one-by-one",
    async see({ layer, spec, input, logits, expert, load }: MoeEvent) {
      const [N, D] = input.shape;
      const total = sums.of(layer, "total", spec.experts * D);
      sums.add(layer, "tokens", new Array<number>(spec.experts).fill(N));
      for (let slot = 0; slot < spec.slots.length; slot++) {
        await load?.([slot]);
        const of = spec.expertOf.flatMap((of, e) => (of === slot ? [e] : []));
        // [outputs that lead to the slot, D]
        const all = tf.tidy(() => {
          const y = expert(slot).run(input);
          if (!gated) return tf.tile(tf.sum(y, 0, true), [of.length, 1]);
          return tf.matMul(tf.gather(tf.softmax(logits), tf.tensor1d(of, "int32"), 1), y, true);
        });
        const values = await all.data();
        all.dispose();
        of.forEach((e, row) => {
          for (let d = 0; d < D; d++) total[e * D + d] += values[row * D + d];
        });
      }
    },
    // a layer's tokens are counted once for each router output, so that E is known from the sums
    result: () =>
      sums.map((sum) => {
        const tokens = sum("tokens");
        return rows(sum("total"), sum("total").length / tokens.length).map((row, e) =>
          row.map((value) => value / Math.max(1, tokens[e]))
        );
      }),
    merge: (other) => sums.merge(other.sums!),
  };
}

/** Mean output of every expert over the tokens routed to it, [E][D]; zeros for an expert without a token. */
export function routedMeanOutputObserver(): MergeableObserver<number[][]> {
  return routedMeanObserver("routedMeanOutput", (input, run) => run(input));
}
