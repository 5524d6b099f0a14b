import { tf } from "../../tensor/index.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { rows, Sums } from "./sums.js";

/** added to the product of two norms, as in the reference code */
const EPSILON = 1e-7;

/** Cosine of router-logit columns over the tokens, `cos(H[:,i], H[:,j])`: equation 1 of arXiv:2310.01334. [E][E] */
export function routerLogitsObserver(): MergeableObserver<number[][]> {
  return products("routerLogitCosine", (gram) => {
    const norms = gram.map((row, i) => Math.sqrt(row[i]));
    return gram.map((row, i) => row.map((product, j) => (i === j ? 1 : product / (norms[i] * norms[j] + EPSILON))));
  });
}

/** Inner products of router-logit columns over the tokens, `H^T H`: [E][E], from which distances follow. */
export function routerLogitProductsObserver(): MergeableObserver<number[][]> {
  return products("gram.router-logits", (gram) => gram);
}

/** Only the E x E sums are kept, so that no token has to be remembered. */
function products(name: string, of: (gram: number[][]) => number[][]): MergeableObserver<number[][]> {
  const sums = new Sums();
  return {
    name,
    sums,
    async see({ layer, logits }: MoeEvent) {
      const gram = tf.matMul(logits, logits, true, false);
      sums.add(layer, "gram", await gram.data());
      gram.dispose();
    },
    result: () => sums.map((sum) => of(rows(sum("gram"), Math.sqrt(sum("gram").length)))),
    merge: (other) => sums.merge(other.sums!),
  };
}
