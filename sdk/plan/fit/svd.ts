import { cutRows } from "../../model/form/low-rank-sparse.js";
import { factorise, largestRows } from "../../tensor/linalg/factorise.js";
import { type Maker, type Parts, sizeOf, sizeOfAll, storedAs } from "../make/maker.js";
import type { Fit } from "../recipe.js";

/** W = U V + S by singular values, S cut to the rows of the largest norm or to those that are named. */
export const svd: Maker<Fit> = {
  infos({ of, part, rank, kept }, infos) {
    const stored = infos(of).get(part)!;
    const [out, width] = stored.shape;
    const rows = typeof kept === "number" ? kept : kept.length;
    const parts = new Map([[`${part}.u`, storedAs(stored, [out, rank])], [`${part}.v`,
      storedAs(stored, [rank, width])]]);
    if (rows > 0) parts.set(`${part}.s`, storedAs(stored, [rows, width]));
    if (rows > 0 && rows < out) parts.set(`${part}.s.rows`, { dtype: "I32", shape: [rows], sizeBytes: 4 * rows });
    return parts;
  },

  async values({ of, part, rank, kept }, bench) {
    const [out, width] = bench.infos(of).get(part)!.shape;
    const { u, v, s } = factorise(await bench.part(of, part), [out, width], rank);
    const rows = typeof kept === "number" ? largestRows(s, width, kept) : [...kept].sort((a, b) => a - b);
    const parts: Parts = new Map([[`${part}.u`, u], [`${part}.v`, v]]);
    if (rows.length > 0) parts.set(`${part}.s`, cutRows(s, width, rows));
    if (rows.length > 0 && rows.length < out) parts.set(`${part}.s.rows`, Float32Array.from(rows));
    return parts;
  },

  work(recipe, tally) {
    const { of, part, rank } = recipe;
    const own = tally.part(of, part);
    const { shape } = tally.infos(of).get(part)!;
    const [out, width] = shape;
    // three copies in double precision and the vectors of the smaller side, in ml-matrix as in LAPACK
    tally.pass(6 * sizeOf(shape) + 2 * Math.min(out, width) ** 2);
    tally.add({ decompositions: [[out, width]], multiplies: sizeOf(shape) * rank, numbers: sizeOf(shape) });
    tally.hold(sizeOfAll(tally.infos(recipe)));
    tally.free(own);
  },
};
