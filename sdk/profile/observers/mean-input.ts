import { tf } from "../../tensor/index.js";
import type { MergeableObserver } from "../observer.js";
import { routedMeanObserver } from "./routed-mean.js";

/** Mean input over the tokens routed to each expert, [E][D]; zeros for an expert without a token. */
export function meanInputObserver(): MergeableObserver<number[][]> {
  return routedMeanObserver("meanInput", (input) => input);
}

/** Mean of the absolute input over the tokens routed to each expert, [E][D]; zeros for an expert without a token. */
export function meanAbsInputObserver(): MergeableObserver<number[][]> {
  return routedMeanObserver("meanAbsInput", (input) => tf.abs(input));
}
