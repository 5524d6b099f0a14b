import { zipByWeights } from "../../match/zip-by-weights.js";
import { type Bench, type Maker, type Parts, sizeOfAll } from "../make/maker.js";
import type { Combine, Part } from "../recipe.js";

/**
 * sum_e A_e W_e for what comes in, sum_e W_e B_e for what goes out: the neurons of each source in their places, weighed
 * as the recipe says (ZipIt, arXiv:2305.03053).
 */
export const zip: Pick<Maker<Combine>, "values" | "work"> = {
  async values(recipe, bench) {
    const { of, axes, weights } = recipe;
    const found = "byWeights" in recipe.places;
    const places = "byWeights" in recipe.places
      ? await placesByWeights(recipe, recipe.places.byWeights, bench)
      : recipe.places;
    const F = places[0].length;
    const used = recipe.byMean && weights.some((weight) => weight > 0);
    const massOf = (weight: number) => (used ? weight : 1);
    const mass = new Float64Array(F), size = new Float64Array(F);
    for (const [source, its] of places.entries()) {
      for (const place of its) {
        mass[place] += massOf(weights[source]);
        size[place] += 1;
      }
    }
    // a place whose neurons all weigh nothing is their plain mean; by weights it becomes zero where neurons were
    // merged, as in the released code
    const unweighed = (place: number) => (found && size[place] > 1 ? 0 : 1 / size[place]);
    const share = (place: number, weight: number) => mass[place] > 0 ? massOf(weight) / mass[place] : unweighed(place);
    const totalMass = weights.reduce((sum, weight) => sum + massOf(weight), 0);
    const totals: Parts = new Map();
    // a function of its own, so that nothing of a matrix is left while the next is read
    const add = async (source: number, part: Part) => {
      const values = await bench.part(of[source], part);
      if (!totals.has(part)) totals.set(part, new Float32Array(values.length));
      const shares = axes[part] === undefined
        ? [massOf(weights[source]) / totalMass]
        : places[source].map(
          (place) => (axes[part] === 0 || recipe.byMean ? share(place, weights[source]) : 1 / of.length)
        );
      addPlaced(totals.get(part)!, values, places[source], shares, axes[part]);
    };
    for (const source of of.keys()) for (const part of bench.infos(of[source]).keys()) await add(source, part);
    return totals;
  },

  work(recipe, tally) {
    const { of, places } = recipe;
    const infos = tally.infos(of[0]);
    const size = sizeOfAll(infos);
    const { shape } = infos.get("up")!;
    const F = shape[0];
    if ("byWeights" in places) {
      const n = of.length * F;
      for (const source of of) {
        tally.free(tally.values(source));
        tally.hold(size);
      }
      // weights of all neurons in both precisions, and their products in double precision
      tally.pass(2 * of.length * size + 2 * n * n);
      tally.free(of.length * size);
      tally.add({ multiplies: (n * n * size) / F, pairings: ((n - F) * n * n) / 2 });
    }
    tally.hold(size + 4 * F);
    for (const source of of) {
      for (const part of infos.keys()) tally.free(tally.part(source, part));
      tally.add({ numbers: 2 * size });
    }
    tally.free(4 * F);
  },
};

/** Places of the neurons of all sources by the products of their weights; numbered by first appearance in `order`. */
async function placesByWeights(
  { of, axes, weights }: Combine,
  order: readonly number[],
  bench: Bench,
): Promise<number[][]> {
  const neurons: Float32Array[] = [];
  const infos = bench.infos(of[0]);
  const matrices = Object.keys(axes).filter((part) => infos.get(part)?.shape.length === 2).sort((a, b) =>
    axes[a] - axes[b]
  );
  const F = infos.get("up")!.shape[0];
  // a function of its own, so that nothing of a source is left while the next is read
  const add = async (source: number) => neurons.push(...neuronsOf(await bench.values(of[source]), matrices, axes, F));
  for (const source of order) await add(source);
  const found = zipByWeights(neurons, order.flatMap((source) => new Array<number>(F).fill(weights[source])), F);
  return of.map((_, source) => {
    const at = order.indexOf(source) * F;
    return found.slice(at, at + F);
  });
}

/** All weights of each neuron, matrix after matrix. */
function neuronsOf(parts: Parts, matrices: Part[], axes: Combine["axes"], F: number): Float32Array[] {
  const widths = matrices.map((part) => parts.get(part)!.length / F);
  return Array.from({ length: F }, (_, neuron) => {
    const own = new Float32Array(widths.reduce((sum, width) => sum + width, 0));
    let at = 0;
    for (const [index, part] of matrices.entries()) {
      const values = parts.get(part)!;
      for (let d = 0; d < widths[index]; d++)
        own[at++] = axes[part] === 0 ? values[neuron * widths[index] + d] : values[d * F + neuron];
    }
    return own;
  });
}

/** Adds the neurons of a source in their places, each by its share; what has none, by the one share there is. */
function addPlaced(
  total: Float32Array,
  values: Float32Array,
  places: readonly number[],
  shares: readonly number[],
  axis: number | undefined,
): void {
  const F = places.length;
  const width = values.length / F;
  if (axis === undefined) { for (let i = 0; i < values.length; i++) total[i] += shares[0] * values[i]; }
  else if (axis === 0) {
    for (let neuron = 0, at = 0; neuron < F; neuron++)
      for (let d = 0, to = places[neuron] * width; d < width; d++) total[to++] += shares[neuron] * values[at++];
  } else {
    for (let row = 0; row < values.length; row += F)
      for (let neuron = 0; neuron < F; neuron++) total[row + places[neuron]] += shares[neuron] * values[row + neuron];
  }
}
