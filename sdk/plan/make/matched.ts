import { bestOrder } from "../../match/weight-matching.js";
import { tf } from "../../tensor/index.js";
import type { Matched, Part } from "../recipe.js";
import { type Bench, type Infos, type Maker, type Parts, sizeOf, type Tally } from "./maker.js";
import { taken, tallyTaken } from "./take.js";

/** Weight matching of arXiv:2209.04836: the order of the neurons follows from all matrices together. */
export const matched: Maker<Matched> = {
  infos: ({ of }, infos) => infos(of),

  async values(recipe, bench) {
    const parts = await bench.values(recipe.of);
    return taken(parts, bench.infos(recipe.of), recipe.axes, await bench.order(recipe, parts));
  },

  work(recipe, tally) {
    const own = tally.values(recipe.of) > 0;
    if (!tally.ordered(recipe)) tallyOrder(recipe, tally);
    const infos = tally.infos(recipe.of);
    tallyTaken(recipe.axes, own, infos, infos, tally);
  },
};

/** Which neuron takes each place. @param parts those that are to be put in order */
export async function orderOf({ of, to, axes }: Matched, parts: Parts, bench: Bench): Promise<number[]> {
  const infos = bench.infos(of);
  const reference = await bench.values(to);
  const products = matrices(axes, infos).map((part) => () =>
    tf.tidy(() => {
      const [fixed, moved] = [reference, parts].map((expert) =>
        tf.tensor2d(expert.get(part)!, infos.get(part)!.shape as [number, number], "float32")
      );
      return axes[part] === 0 ? tf.matMul(fixed, moved, false, true) : tf.matMul(fixed, moved, true, false);
    })
  );
  return bestOrder(products);
}

/** up, down, gate: in the order in which the products are added */
function matrices(axes: Matched["axes"], infos: Infos): Part[] {
  return Object.keys(axes).filter((part) => infos.get(part)?.shape.length === 2);
}

function tallyOrder({ of, to, axes }: Matched, tally: Tally): void {
  const infos = tally.infos(of);
  const own = tally.values(to);
  for (const part of matrices(axes, infos)) {
    const { shape } = infos.get(part)!;
    const F = shape[axes[part]];
    // both matrices as tensors, their product and the sum so far; or the scores and what the assignment makes of them
    tally.pass(Math.max(2 * F * F + 2 * sizeOf(shape), 3 * F * F));
    tally.add({ multiplies: F * sizeOf(shape), numbers: sizeOf(shape) });
  }
  const [first] = matrices(axes, infos);
  tally.add({ assignments: [infos.get(first)!.shape[axes[first]]] });
  tally.free(own);
}
