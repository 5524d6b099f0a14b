import { tf } from "../../tensor/index.js";
import type { MergeableObserver, SiteEvent } from "../observer.js";
import { isChosen, ofWeights, type WeightChoice } from "../weight-choice.js";
import { Sums } from "./sums.js";

/** Of what a matrix multiplies; of an expert's, the tokens that were sent to it. */
export interface InputNorms {
  /** rows that were seen */
  tokens: number;
  /** [in] L2 norm of each input channel: what Wanda weighs weights by */
  norms: number[];
  /** [in] mean absolute value of each input channel: what AWQ makes scales from */
  meanAbs: number[];
}

/** Measures `InputNorms` of matrices by their names; the norms also stand beside the profile, for fitters. */
export function inputNormsObserver(choice: WeightChoice = "all"): MergeableObserver<InputNorms> {
  const sums = new Sums();
  return {
    name: ofWeights("inputNorms", choice),
    of: "weights",
    at: ["input"],
    sums,
    async see({ weight, x }: Extract<SiteEvent, { site: "input" }>) {
      if (!isChosen(choice, weight)) return;
      const [squares, absolute] = tf.tidy(() => [tf.sum(tf.square(x), 0), tf.sum(tf.abs(x), 0)]);
      sums.add(weight, "squares", await squares.data());
      sums.add(weight, "absolute", await absolute.data());
      sums.add(weight, "tokens", [x.shape[0]]);
      tf.dispose([squares, absolute]);
    },
    result: () =>
      sums.map((sum) => {
        const [tokens] = sum("tokens");
        return { tokens, norms: Array.from(sum("squares"), Math.sqrt),
          meanAbs: Array.from(sum("absolute"), (total) => total / tokens) };
      }),
    tensors: () =>
      new Map(
        Object.entries(
          sums.map((sum) => ({ shape: [sum("squares").length], values: Float32Array.from(sum("squares"), Math.sqrt) })),
        ),
      ),
    merge: (other) => sums.merge(other.sums!),
  };
}
