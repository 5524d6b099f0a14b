import { MoeError } from "../../errors.js";
import { matrix, product, transposed } from "../../tensor/linalg/matrix.js";
import { solve } from "../../tensor/linalg/solve.js";
import type { Fitter } from "./fitter.js";

/**
 * Gives the inputs that stay what those that go had to say, as far as it follows from them: the W' that is nearest to
 * the matrix' outputs, W' = W C_k^T (C_kk + l I)^-1 with C the sum of x x^T over its inputs (type I of MoDeGPT,
 * arXiv:2408.09632). Statistic: C [in, in]. Options: `ridge`, l as a share of the mean of C's diagonal, default 1e-6.
 */
export const nystroem: Fitter = {
  check({ keep, form, options: { ridge = 1e-6 } }) {
    if (!keep || form)
      throw bad("inputs that stay are fitted", "units of which some are kept. Say it of them");
    if (typeof ridge !== "number" || !(ridge >= 0))
      throw bad(`ridge is ${String(ridge)}`, "a number from 0. Correct it");
  },

  statistic: ([, width]) => [width, width],

  async fit(weight, [out, width], { keep, options }, seen) {
    const gram = await seen.statistic();
    const at = keep!;
    let trace = 0;
    for (let i = 0; i < width; i++) trace += gram[i * width + i];
    const ridge = ((options.ridge as number | undefined) ?? 1e-6) * trace / width;
    const kept = matrix(Float64Array.from({ length: at.length ** 2 }, (_, i) => {
      const [row, column] = [Math.floor(i / at.length), i % at.length];
      return gram[at[row] * width + at[column]] + (row === column ? ridge : 0);
    }), at.length, at.length);
    const all = matrix(
      Float64Array.from({ length: at.length * width }, (_, i) => gram[at[Math.floor(i / width)] * width + i % width]),
      at.length,
      width,
    );
    const { data } = product(matrix(weight, out, width), transposed(solve(kept, all)));
    return { values: Float32Array.from(data) };
  },

  work([out, width], { keep }) {
    const k = keep!.length;
    // both parts of C and the solution, in double precision, and the product
    return { holds: 2 * (2 * k * k + 3 * k * width) + 2 * out * k,
      multiplies: k ** 3 + k * k * width + out * width * k };
  },
};

function bad(what: string, accepted: string): MoeError {
  return new MoeError("bad-plan", `plan: by Nyström, ${what}; accepted are ${accepted}.`);
}
