import type { Tensor } from "@tensorflow/tfjs-core";
import { stopGradient, tf } from "../../../tensor/index.js";
import type { Picked } from "../chosen.js";

/** Best first until the sum exceeds p; an exact p goes on, the first always stays. arXiv:2403.07652 as released. */
export function untilSum({ choice, values }: Picked, p: number): Picked {
  const sums = stopGradient(tf.cumsum(values, 1, true)); // of those before
  return kept({ choice, values }, tf.lessEqual(sums, p));
}

/** Those that are worth more than `at`; a token may take none. */
export function aboveThreshold({ choice, values }: Picked, at: number): Picked {
  return kept({ choice, values }, tf.greater(stopGradient(values), at));
}

function kept({ choice, values }: Picked, stays: Tensor): Picked {
  return { choice: tf.where(stays, choice, tf.onesLike(choice).mul(tf.scalar(-1, "int32"))),
    values: tf.mul(values, tf.cast(stays, "float32")) };
}
