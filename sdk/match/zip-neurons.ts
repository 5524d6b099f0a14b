/**
 * of a merged pair's correlation with the rest: the reference takes a tenth of the smaller, so that pairs are preferred
 * to heaps
 */
const DAMPING = 0.1;

/**
 * Merges the two most correlated neurons, again and again, until `left` are left: the greedy matching of ZipIt
 * (arXiv:2305.03053) as the baseline of arXiv:2310.01334 ran it, within and across experts alike. A merged pair
 * correlates with another neuron as 0.1 times the smaller of its two. Ties go to the lower pair.
 *
 * @param correlation n x n, symmetric, row by row; it is overwritten
 * @returns the place of each neuron in 0 … left - 1, numbered by first appearance
 * @example zipNeurons(Float32Array.of(1, 0.9, 0, 0.9, 1, 0, 0, 0, 1), 3, 2)  // [0, 0, 1]
 */
export function zipNeurons(correlation: Float32Array | Float64Array, n: number, left: number): number[] {
  const leads = Array.from({ length: n }, (_, neuron) => neuron);
  const alive = new Uint8Array(n).fill(1);
  const best = new Int32Array(n);
  const findBest = (row: number) => {
    best[row] = -1;
    for (let column = row + 1; column < n; column++) {
      if (alive[column] && (best[row] < 0 || correlation[row * n + column] > correlation[row * n + best[row]]))
        best[row] = column;
    }
  };
  for (let row = 0; row < n; row++) findBest(row);
  for (let count = n; count > left; count--) {
    let first = -1;
    for (let row = 0; row < n; row++) {
      if (alive[row] && best[row] >= 0
        && (first < 0 || correlation[row * n + best[row]] > correlation[first * n + best[first]])) first = row;
    }
    const second = best[first];
    alive[second] = 0;
    leads[second] = first;
    for (let other = 0; other < n; other++) {
      if (!alive[other] || other === first) continue;
      const damped = DAMPING * Math.min(correlation[first * n + other], correlation[second * n + other]);
      correlation[first * n + other] = correlation[other * n + first] = damped;
    }
    findBest(first);
    for (let row = 0; row < second; row++) {
      if (!alive[row] || row === first) continue;
      if (best[row] === first || best[row] === second) findBest(row);
      else if (row < first && best[row] >= 0 && correlation[row * n + first] > correlation[row * n + best[row]])
        best[row] = first;
    }
  }
  const places = new Map<number, number>();
  const lead = (neuron: number): number => (leads[neuron] === neuron ? neuron : lead(leads[neuron]));
  return leads.map((_, neuron) => {
    const head = lead(neuron);
    if (!places.has(head)) places.set(head, places.size);
    return places.get(head)!;
  });
}
