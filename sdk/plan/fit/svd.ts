import { MoeError } from "../../errors.js";
import { cutRows, isLowRankSparse, lowRankSparse } from "../../model/form/low-rank-sparse.js";
import { factorise, largestRows } from "../../tensor/linalg/factorise.js";
import type { Fitter, Want } from "./fitter.js";

/**
 * W = U V + S by singular values, S cut to its rows of the largest norm. Options: `rows`, the numbers of those that
 * stay in their place.
 */
export const svd: Fitter = {
  check: factors,

  async fit(weight, [out, width], want) {
    const { rank, rows, named } = factors(want);
    const { u, v, s } = factorise(weight, [out, width], rank);
    const kept = named ? [...named].sort((a, b) => a - b) : largestRows(s, width, rows);
    return {
      factors: { u, v, ...(rows > 0 && { s: cutRows(s, width, kept) }),
        ...(rows > 0 && rows < out && { "s.rows": Float32Array.from(kept) }) },
    };
  },

  work([out, width], want) {
    const size = out * width;
    // three copies in double precision and the vectors of the smaller side, in ml-matrix as in LAPACK
    return { holds: 6 * size + 2 * Math.min(out, width) ** 2, decompositions: [[out, width]],
      multiplies: size * factors(want).rank };
  },
};

function factors({ form, options }: Want): { rank: number; rows: number; named?: readonly number[] } {
  if (isLowRankSparse(form)) return { ...form, named: options.rows as readonly number[] | undefined };
  throw new MoeError("bad-plan",
    `plan: singular values give factors, it asks for ${form ? "another form" : "a matrix"}; accepted is { form: `
      + `"${lowRankSparse.form}", rank, rows }. Say it.`);
}
