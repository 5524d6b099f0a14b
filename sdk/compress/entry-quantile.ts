/** Scores of the rows of one matrix, and how many numbers each row has. */
export interface ScoredRows {
  scores: ArrayLike<number>;
  width: number;
}

/**
 * The threshold of a pruner over a whole network: the floor(n share)-th smallest of all n entries, each of which has
 * the
 * score of its row; rows strictly below it go. -Infinity for the 0th.
 *
 * @example entryQuantile([{ scores: [1, 2], width: 3 }, { scores: [0], width: 2 }], 0.5)  // 1
 */
export function entryQuantile(parts: readonly ScoredRows[], share: number): number {
  const rows = parts.flatMap(({ scores, width }) => Array.from(scores, (score) => ({ score, width }))).sort((a, b) =>
    a.score - b.score
  );
  const entries = rows.reduce((sum, { width }) => sum + width, 0);
  let left = Math.floor(entries * share);
  if (left === 0) return -Infinity;
  for (const { score, width } of rows) {
    left -= width;
    if (left <= 0) return score;
  }
  return rows[rows.length - 1].score;
}
