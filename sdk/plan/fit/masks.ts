/** Which weights go: of each row the smallest share, of the matrix, or of every m inputs of a row some. */
export interface Sparsity {
  /** share of the weights that go; default 0.5 */
  sparsity?: number;
  /** [n, m]: of every m inputs of a row the n smallest go, in place of a share */
  of?: readonly [drop: number, group: number];
}

/** Sets to 0 the weights of each row whose scores are smallest; of equals the first. */
export function dropInRows(
  weight: Float32Array,
  [out, width]: readonly [number, number],
  score: (r: number, j: number) => number,
  { sparsity = 0.5, of }: Sparsity,
): Float32Array {
  const [drop, group] = of ?? [Math.floor(width * sparsity), width];
  for (let r = 0; r < out; r++)
    for (let start = 0; start < width; start += group)
      for (const j of smallest(Math.min(group, width - start), drop, (i) => score(r, start + i)))
        weight[r * width + start + j] = 0;
  return weight;
}

/** The places of the `count` smallest of `size` scores; of equals the first. */
export function smallest(size: number, count: number, score: (i: number) => number): number[] {
  const scores = Float64Array.from({ length: size }, (_, i) => score(i));
  return Array.from({ length: size }, (_, i) => i).sort((a, b) => scores[a] - scores[b] || a - b).slice(0, count);
}

/** The score that as many others are below as the share says: weights up to it go. */
export function thresholdOf(scores: Float32Array | Float64Array, share: number): number {
  return scores.slice().sort()[Math.min(scores.length - 1, Math.floor(scores.length * share))];
}
