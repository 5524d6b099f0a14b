import { tf } from "../../tensor/index.js";
import type { MergeableObserver, SiteEvent } from "../observer.js";
import { isChosen, ofWeights, type WeightChoice } from "../weight-choice.js";
import { Sums } from "./sums.js";

/**
 * Gram matrix [in, in] of what a matrix multiplies, the sum of x x^T over its rows; of an expert's, over the tokens
 * that were sent to it. As large as the weights, so it stands beside the profile; `result` has the number of rows.
 */
export function inputGramObserver(choice: WeightChoice = "all"): MergeableObserver<{ tokens: number }> {
  const sums = new Sums();
  return {
    name: ofWeights("gram.inputs", choice),
    of: "weights",
    at: ["input"],
    sums,
    async see({ weight, x }: Extract<SiteEvent, { site: "input" }>) {
      if (!isChosen(choice, weight)) return;
      const gram = tf.tidy(() => tf.matMul(x, x, true));
      sums.add(weight, "gram", await gram.data());
      sums.add(weight, "tokens", [x.shape[0]]);
      gram.dispose();
    },
    result: () => sums.map((sum) => ({ tokens: sum("tokens")[0] })),
    tensors: () =>
      new Map(Object.entries(sums.map((sum) => {
        const width = Math.sqrt(sum("gram").length);
        return { shape: [width, width], values: Float32Array.from(sum("gram")) };
      }))),
    merge: (other) => sums.merge(other.sums!),
  };
}
