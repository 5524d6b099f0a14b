import type { Tensor } from "@tensorflow/tfjs-core";
import type { MoeRecord } from "../../model/pass.js";
import { tf } from "../../tensor/index.js";
import { sharesOf } from "./probabilities.js";

/** Mean entropy of a router over real tokens, in nats: what top-p pays for doubt (arXiv:2403.07652). */
export function entropyLoss(record: MoeRecord): Tensor {
  return tf.tidy(() => {
    const { p, tokens } = sharesOf(record);
    return tf.div(tf.neg(tf.sum(tf.mul(p, tf.logSoftmax(record.logits)))), tokens);
  });
}
