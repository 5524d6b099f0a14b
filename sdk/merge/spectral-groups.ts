import { eigh } from "../tensor/linalg/eigh.js";
import { dot, matrix, product, transposed } from "../tensor/linalg/matrix.js";
import { svd } from "../tensor/linalg/svd.js";

/**
 * Groups experts by spectral clustering of their similarities: the eigenvectors of the normalised Laplacian with the
 * smallest eigenvalues place the experts, and a rotation found by a QR decomposition with pivoting says which group
 * each
 * is in (Damle, Minden, Ying 2019, arXiv:1708.07481). Equals scikit-learn's `SpectralClustering(affinity="precomputed",
 * assign_labels="cluster_qr")`; nothing in it is random.
 *
 * @param similarity [E][E] symmetric, not negative, larger is closer; the diagonal has no part
 * @param count groups, 1 to E
 * @returns E labels, numbered by first appearance; fewer than `count` where a group would be empty
 * @example spectralGroups([[1, 0.9, 0.1], [0.9, 1, 0.1], [0.1, 0.1, 1]], 2)  // [0, 0, 1]
 */
export function spectralGroups(similarity: number[][], count: number): number[] {
  const degree = similarity.map((row, i) => row.reduce((sum, value, j) => sum + (i === j ? 0 : value), 0));
  const scale = degree.map((sum) => (sum > 0 ? Math.sqrt(sum) : 1));
  const laplacian = similarity.map((row, i) =>
    row.map((value, j) => (i === j ? (degree[i] > 0 ? 1 : 0) : -value / (scale[i] * scale[j])))
  );
  const { vectors } = eigh(matrix(laplacian));
  const places = similarity.map((row, i) =>
    Array.from({ length: count }, (_, k) => vectors.data[i * row.length + k] / scale[i])
  );

  // the nearest rotation to the places of the pivots turns each of these towards an axis of its own
  const { u, v } = svd(transposed(matrix(mostIndependent(places).map((expert) => places[expert]))));
  const turned = product(product(matrix(places), u), transposed(v));
  const labels = places.map((_, i) => largest(turned.data.subarray(i * count, (i + 1) * count).map(Math.abs)));
  const byAppearance = [...new Set(labels)];
  return labels.map((label) => byAppearance.indexOf(label));
}

/**
 * Rows that a QR decomposition with pivoting takes first: each time the longest, whose direction is then taken out of
 * all.
 */
function mostIndependent(rows: number[][]): number[] {
  const rest = rows.map((row) => [...row]);
  return rows[0].map(() => {
    const pivot = largest(rest.map((row) => dot(row, row)));
    const length = Math.sqrt(dot(rest[pivot], rest[pivot])) || 1;
    const direction = rest[pivot].map((x) => x / length);
    for (const row of rest) {
      const along = dot(row, direction);
      row.forEach((_, i) => (row[i] -= along * direction[i]));
    }
    return pivot;
  });
}

function largest(values: ArrayLike<number>): number {
  return Array.from(values).reduce((best, value, i, all) => (value > all[best] ? i : best), 0);
}
