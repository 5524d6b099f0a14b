import { tf } from "../../tensor/index.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { rows, Sums } from "./sums.js";
import { tokensByExpert } from "./tokens-by-expert.js";

export interface ChannelNorms {
  /** [E][D] L2 norm of each input channel over the tokens routed to the expert */
  routed: number[][];
  /** [D] the same over all tokens of the layer */
  all: number[];
}

/** L2 norms of the input channels, by expert and over the layer. */
export function channelNormsObserver(): MergeableObserver<ChannelNorms> {
  const sums = new Sums();
  return {
    name: "channelNorms",
    sums,
    async see(event: MoeEvent) {
      const { layer, spec, input } = event;
      const D = input.shape[1];
      const routed = sums.of(layer, "routed", spec.experts * D);
      const all = tf.tidy(() => tf.sum(tf.square(input), 0));
      sums.add(layer, "all", await all.data());
      all.dispose();
      for (const { expert, rows } of await tokensByExpert(event)) {
        const squares = tf.tidy(() => tf.sum(tf.square(tf.gather(input, tf.tensor1d(rows, "int32"))), 0));
        const values = await squares.data();
        squares.dispose();
        for (let d = 0; d < D; d++) routed[expert * D + d] += values[d];
      }
    },
    result: () =>
      sums.map((sum) => ({ routed: rows(sum("routed").map(Math.sqrt), sum("all").length),
        all: Array.from(sum("all"), Math.sqrt) })
      ),
    merge: (other) => sums.merge(other.sums!),
  };
}
