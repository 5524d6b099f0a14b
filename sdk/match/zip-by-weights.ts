/** added to the sum of two weights, so that two neurons that weigh nothing are like no other */
const EPSILON = 1e-7;

/**
 * Merges the two most alike hidden neurons, within and across experts, again and again until one expert's width is
 * left.
 * Neurons are alike by the inner product of their weights, those of a merged one being the weighted mean of its two:
 * the
 * variant `within_and_across_models` of the released code of arXiv:2310.01334. Ties go to the lower pair.
 *
 * @param neurons the weights of each neuron, incoming and outgoing, expert after expert
 * @param weights how much each counts
 * @param left F
 * @returns the place of each neuron in 0 … left - 1, numbered by first appearance
 * @example zipByWeights([[1, 0], [0, 1], [1, 0]], [1, 1, 1], 2)  // [0, 1, 0]
 */
export function zipByWeights(neurons: ArrayLike<number>[], weights: readonly number[], left: number): number[] {
  const n = neurons.length;
  const merged = neurons.map((neuron) => Float64Array.from(neuron));
  const mass = [...weights];
  const leads = merged.map((_, neuron) => neuron);
  const alive = merged.map((_, neuron) => neuron);
  const product = (a: Float64Array, b: Float64Array) => {
    let sum = 0;
    for (let d = 0; d < a.length; d++) sum += a[d] * b[d];
    return sum;
  };
  const alike = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) alike[i * n + j] = product(merged[i], merged[j]);
  while (alive.length > left) {
    let [first, second, best] = [alive[0], alive[1], -Infinity];
    for (let a = 0; a < alive.length; a++) {
      for (let b = a + 1; b < alive.length; b++)
        if (alike[alive[a] * n + alive[b]] > best)
          [first, second, best] = [alive[a], alive[b], alike[alive[a] * n + alive[b]]];
    }
    const [wa, wb] = [mass[first], mass[second]];
    merged[first] = merged[first].map((value, d) => (wa * value + wb * merged[second][d]) / (wa + wb + EPSILON));
    mass[first] += mass[second];
    leads[second] = first;
    alive.splice(alive.indexOf(second), 1);
    for (const other of alive)
      if (other !== first)
        alike[Math.min(first, other) * n + Math.max(first, other)] = product(merged[first], merged[other]);
  }
  const lead = (neuron: number): number => (leads[neuron] === neuron ? neuron : lead(leads[neuron]));
  return leads.map((_, neuron) => alive.indexOf(lead(neuron)));
}
