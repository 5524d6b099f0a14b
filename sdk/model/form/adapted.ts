import type { Tensor2D } from "@tensorflow/tfjs-core";
import { MoeError } from "../../errors.js";
import { oneHot, tf } from "../../tensor/index.js";
import { route } from "../router/route.js";
import type { Form } from "./form.js";
import type { Adapted } from "./matrix-form.js";

/**
 * W x + scale sum_a g_a B_a A_a x with gates g of a router that reads x: LoRAMoE (arXiv:2312.09979; all adapters, their
 * softmax), PHATGOOSE (arXiv:2402.05859; the best of them). `….a` [adapters, rank, in], `….b` [adapters, out, rank]
 * starts as zeros, `….router` [adapters, in]. It is no matrix: what it adds depends on the token.
 */
export const adapted: Form<Adapted> = {
  form: "adapted",

  tensors({ adapters, rank, router }, [out, width]) {
    if (router.topK > adapters || router.mix || router.choiceBias || (router.score?.kind ?? "linear") !== "linear")
      throw new MoeError("bad-form",
        `adapted: its router takes ${router.topK} of ${adapters} adapters by scores of kind `
          + `"${router.score?.kind ?? "linear"}"; accepted are scores by a matrix, without mix and choiceBias, and at `
          + "most as many choices as adapters. Change its router.");
    const met = router.topK / adapters;
    return [{ name: "", shape: [out, width] }, { name: ".router", shape: [adapters, width] },
      ...(router.bias ? [{ name: ".router.bias", shape: [adapters], start: 0 }] : []), { name: ".a",
      shape: [adapters, rank, width], met }, { name: ".b", shape: [adapters, out, rank], start: 0, met }];
  },

  apply(x, { adapters, rank, scale, router }, part, [out, width]) {
    const scores = tf.matMul(x, part(".router"), false, true);
    const logits = (router.bias ? tf.add(scores, part(".router.bias")) : scores) as Tensor2D;
    const N = x.shape[0] as number;
    const { choice, gates } = route(logits, router, { B: N, T: 1, offset: 0, capacity: false });
    // [N, adapters, 1]
    const worth = tf.expandDims(tf.sum(tf.mul(oneHot(choice, adapters), tf.expandDims(gates, -1)), 1), -1);
    const inner = tf.matMul(x, tf.reshape(part(".a"), [adapters * rank, width]), false, true);
    const mixed = tf.reshape(tf.mul(tf.reshape(inner, [N, adapters, rank]), worth), [N, adapters * rank]);
    const outer = tf.reshape(tf.transpose(part(".b"), [0, 2, 1]), [adapters * rank, out]);
    return tf.add(tf.matMul(x, part(""), false, true), tf.mul(tf.matMul(mixed, outer), scale));
  },
};
