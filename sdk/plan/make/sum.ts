import type { Recipe, Sum } from "../recipe.js";
import { type Maker, type Parts, reshaped, sizeOf, sizeOfAll, type Tally } from "./maker.js";

/** added to the sum of `by`, as the reference code does, so that a parameter nobody weighs becomes 0 */
const EPSILON = Math.fround(1e-7);

const { fround } = Math;

/** Adds up one source after another; in float32, step by step, so that every machine gets the same bytes. */
export const sum: Maker<Sum> = {
  infos: ({ terms }, infos) => reshaped(infos(terms[0].of), (shape) => shape),

  async values({ terms }, bench) {
    const totals: Parts = new Map(), divisors: Parts = new Map();
    let next = bench.values(terms[0].of);
    for (const [at, { weight, by }] of terms.entries()) {
      // a function of its own, so that nothing of a source is left while the one after the next is read
      await (async () => {
        const source = await next;
        const ahead = at + 1 < terms.length;
        // the next source is read while this one is added
        if (ahead && !by) next = start(bench.values(terms[at + 1].of));
        const factors = by && (await bench.values(by));
        for (const [part, values] of source) {
          const factor = factors?.get(part);
          totals.set(part, added(totals.get(part), factor ? product(values, factor) : values, weight));
          if (factor) divisors.set(part, added(divisors.get(part), factor, weight));
          source.delete(part);
          factors?.delete(part);
        }
        if (ahead && by) next = bench.values(terms[at + 1].of);
      })();
    }
    for (const [part, divisor] of divisors) {
      const total = totals.get(part)!;
      for (let i = 0; i < total.length; i++) total[i] /= fround(divisor[i] + EPSILON);
    }
    return totals;
  },

  work(recipe, tally) {
    const size = sizeOfAll(tally.infos(recipe));
    recipe.terms.forEach(({ of, by }, at) => {
      const own = tally.values(of) + (by ? tally.values(by) : 0);
      if (at === 0) tally.hold(by ? 2 * size : size);
      // a source that was moved is no longer what was read
      if (at + 1 < recipe.terms.length && !by) readAhead(recipe.terms[at + 1].of, of.make !== "same", tally);
      if (by) tally.pass(Math.max(...[...tally.infos(of).values()].map(({ shape }) => sizeOf(shape))));
      tally.free(own);
      tally.add({ numbers: (by ? 4 : 1) * size });
    });
    if (recipe.terms.some(({ by }) => by)) tally.free(size);
  },
};

/** A source is read while another is added: from a file, its bytes arrive. */
function readAhead(recipe: Recipe, beside: boolean, tally: Tally): void {
  if (recipe.make === "take" || recipe.make === "matched") return readAhead(recipe.of, beside, tally);
  if (recipe.make !== "same") return;
  const source = tally.source(recipe);
  const file = source.peakReadBytes?.(Object.values(recipe.names)[0]) !== undefined;
  const numbers = [...tally.infos(recipe).values()].reduce(
    (sum, { shape, sizeBytes }) => sum + (file ? sizeBytes / 4 : sizeOf(shape)),
    0,
  );
  if (file) tally.land(numbers, beside);
  else tally.pass(numbers);
}

/** What fails ahead of time is told when it is awaited. */
function start<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** total + weight * values; the first is taken as it is, so that a zero keeps its sign */
function added(total: Float32Array | undefined, values: Float32Array, weight: number): Float32Array {
  const w = fround(weight);
  if (total) { for (let i = 0; i < values.length; i++) total[i] += fround(w * values[i]); }
  const sum = total ?? new Float32Array(values.length);
  if (!total) { for (let i = 0; i < values.length; i++) sum[i] = w * values[i]; }
  return sum;
}

function product(a: Float32Array, b: Float32Array): Float32Array {
  const product = new Float32Array(a.length);
  for (let i = 0; i < a.length; i++) product[i] = a[i] * b[i];
  return product;
}
