import type { Tensor } from "@tensorflow/tfjs-core";
import { MoeError } from "../../errors.js";
import { oneHot, tf } from "../../tensor/index.js";
import type { Form, Shape } from "./form.js";
import type { Blocks } from "./matrix-form.js";

/**
 * A group convolution with a learned shuffle (structured sparsification, arXiv:2002.08127): input k of the blocks is
 * x[inputs[k]], output j is output outputs[j] of theirs. `….blocks` [groups, out / groups, in / groups].
 */
export const blocks: Form<Blocks> = {
  form: "blocks",

  tensors({ groups, shuffled }, [out, width]) {
    if (out % groups > 0 || width % groups > 0)
      throw new MoeError("bad-form",
        `blocks: ${groups} groups of a matrix of ${out} outputs and ${width} inputs; accepted are groups that divide `
          + "both. Change groups.");
    return [{ name: ".blocks", shape: [groups, out / groups, width / groups] },
      ...(shuffled
        ? [{ name: ".inputs", shape: [width], index: true as const }, { name: ".outputs", shape: [out],
          index: true as const }]
        : [])];
  },

  whole({ groups, shuffled }, part, [out, width]) {
    const stored = part(".blocks");
    const stack = stored.shape.slice(0, -3);
    // block g of the rows stands in columns g
    const eye = tf.reshape(tf.eye(groups), [groups, 1, groups, 1]);
    const spread = tf.mul(tf.reshape(stored, [...stack, groups, out / groups, 1, width / groups]), eye);
    const diagonal = tf.reshape(spread, [...stack, out, width]);
    if (!shuffled) return diagonal;
    return tf.matMul(places(part(".outputs")), tf.matMul(diagonal, places(part(".inputs"))));
  },

  apply(x, { groups, shuffled }, part, [out, width]: Shape) {
    const given = shuffled ? tf.matMul(x, places(part(".inputs")), false, true) : x;
    const each = tf.transpose(tf.reshape(given, [-1, groups, width / groups]), [1, 0, 2]);
    const made = tf.matMul(each, part(".blocks"), false, true);
    const y = tf.reshape(tf.transpose(made, [1, 0, 2]), [-1, out]);
    return shuffled ? tf.matMul(y, places(part(".outputs")), false, true) : y;
  },
};

/** Row k has a one in column order[k]. */
function places(order: Tensor): Tensor {
  return oneHot(tf.cast(order, "int32"), order.shape.at(-1)!);
}
