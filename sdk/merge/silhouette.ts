/**
 * How well clusters are apart: the mean over points of `(b - a) / max(a, b)`, a the mean distance to the others of its
 * cluster (0 for a point alone, which then counts 1, as HC-SMoE's released code has it), b that to the nearest other
 * cluster.
 *
 * @param gram [E][E] inner products of the points
 * @param labels at least two different ones
 * @example silhouette([[1, 1, 0], [1, 1, 0], [0, 0, 1]], [0, 0, 1])  // 1
 */
export function silhouette(gram: number[][], labels: number[]): number {
  const distance = (i: number, j: number) => Math.sqrt(Math.max(0, gram[i][i] + gram[j][j] - 2 * gram[i][j]));
  const clusters = [...new Set(labels)].map((label) => labels.flatMap((other, i) => (other === label ? [i] : [])));
  const mean = (i: number, members: number[]) =>
    members.reduce((sum, j) => sum + distance(i, j), 0) / Math.max(1, members.length);
  const scores = labels.map((_, i) => {
    const a = mean(i, clusters.find((members) => members.includes(i))!.filter((j) => j !== i));
    const b = Math.min(...clusters.filter((members) => !members.includes(i)).map((members) => mean(i, members)));
    return a === b ? 0 : (b - a) / Math.max(a, b);
  });
  return scores.reduce((sum, score) => sum + score, 0) / scores.length;
}
