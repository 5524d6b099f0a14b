import { tf } from "../../tensor/index.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { rows, Sums } from "./sums.js";

/** added to the product of two norms, as in the reference code */
const EPSILON = 1e-7;

/**
 * Cosine of router-logit columns over the tokens, `cos(H[:,i], H[:,j])`: equation 1 of arXiv:2310.01334.
 * Kept as the E x E sums of products, so that no token has to be remembered.
 */
export function routerLogitsObserver(): MergeableObserver<number[][]> {
  const sums = new Sums();
  return {
    name: "routerLogits",
    sums,
    async see({ layer, logits }: MoeEvent) {
      const products = tf.matMul(logits, logits, true, false);
      sums.add(layer, "products", await products.data());
      products.dispose();
    },
    result: () => sums.map((sum) => {
      const products = rows(sum("products"), Math.sqrt(sum("products").length));
      const norms = products.map((row, i) => Math.sqrt(row[i]));
      return products.map((row, i) => row.map((product, j) => (i === j ? 1 : product / (norms[i] * norms[j] + EPSILON))));
    }),
    merge: (other) => sums.merge(other.sums!),
  };
}
