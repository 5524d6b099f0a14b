import type { Tensor2D } from "@tensorflow/tfjs-core";
import { tf } from "../../tensor/index.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { Sums } from "./sums.js";

/**
 * least norm that an output is divided by: two outputs of zeros resemble each other by 0.5, like any two without
 * relation
 */
const LEAST_NORM = 1e-8;

/**
 * How alike the outputs of two experts are, token by token: the mean cosine, mapped to [0, 1]. [E][E], runs every
 * expert on
 * every token.
 *
 * @param over "all" tokens, or the tokens "routed" to either of the two, a token of both counting twice (token-to-token
 *   matching, as the released code of arXiv:2510.13999 measures it for merging)
 */
export function outputCosineObserver(over: "all" | "routed"): MergeableObserver<number[][]> {
  const sums = new Sums();
  return {
    name: over === "all" ? "similarity.output" : "similarity.output.routed",
    sums,
    runsExperts: "one-by-one",
    async see({ layer, spec, input, choice, expert, load }: MoeEvent) {
      const [N, K, E] = [input.shape[0], choice.shape[1], spec.experts];
      const chosen = await choice.data();
      const counted = new Float32Array(E * N).fill(over === "all" ? 1 : 0);
      if (over === "routed")
        chosen.forEach((e, i) => {
          if (e >= 0) counted[e * N + Math.floor(i / K)] = 1;
        });
      const units: Tensor2D[] = [];
      for (let slot = 0; slot < spec.slots.length; slot++) {
        await load?.([slot]);
        units.push(tf.tidy(() => {
          const y = expert(slot).run(input);
          return tf.div(y, tf.maximum(tf.norm(y, 2, 1, true), LEAST_NORM)) as Tensor2D;
        }));
      }
      const products = tf.tidy(() => {
        const none = tf.zerosLike(input);
        const outputs = tf.stack(spec.expertOf.map((slot) => (slot < 0 ? none : units[slot]))); // [E, N, D]
        const own = tf.mul(outputs, tf.tensor3d(counted, [E, N, 1]));
        return tf.matMul(tf.reshape(own, [E, -1]) as Tensor2D, tf.reshape(outputs, [E, -1]) as Tensor2D, false, true);
      });
      tf.dispose(units);
      sums.add(layer, "products", await products.data());
      products.dispose();
      sums.add(layer, "tokens",
        Array.from({ length: E }, (_, e) => counted.subarray(e * N, (e + 1) * N).reduce((sum, one) => sum + one, 0)));
    },
    result: () =>
      sums.map((sum) => {
        const [products, tokens] = [sum("products"), sum("tokens")];
        const E = tokens.length;
        const cosine = (i: number, j: number) =>
          (products[i * E + j] + products[j * E + i]) / Math.max(1, tokens[i] + tokens[j]);
        return Array.from(tokens, (_, i) => Array.from(tokens, (__, j) => (i === j ? 1 : (cosine(i, j) + 1) / 2)));
      }),
    merge: (other) => sums.merge(other.sums!),
  };
}
