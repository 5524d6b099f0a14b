import { MoeError, suggest } from "../errors.js";
import { clusters } from "../tensor/linalg/clusters.js";
import { linkage } from "../tensor/linalg/linkage.js";

/**
 * How far apart two clusters are: the textbook rules of agglomerative clustering, and two rules of HC-SMoE's released
 * code that differ from them:
 * - `released-complete`: merges the pair that is FARTHEST apart
 * - `released-ward`: `n_a n_b / (n_a + n_b)` times the plain (not squared) distance of the centres
 */
export const linkages = ["average", "single", "complete", "ward", "released-complete", "released-ward"] as const;
export type Linkage = (typeof linkages)[number];

/**
 * Clusters experts from the bottom up until `count` clusters are left.
 *
 * @param gram [E][E] inner products of the vectors that are clustered; all distances follow from them
 * @returns E labels, numbered by first appearance
 * @throws MoeError `unknown-linkage`
 * @example hierarchicalClusters([[1, 1, 0], [1, 1, 0], [0, 0, 1]], 2, "average")  // [0, 0, 1]
 */
export function hierarchicalClusters(gram: number[][], count: number, method: Linkage = "average"): number[] {
  if (!linkages.includes(method))
    throw new MoeError("unknown-linkage",
      `cluster: linkage ${JSON.stringify(method)} is not known. ${suggest(String(method), linkages)}`);
  if (gram.length === 1) return [0];
  if (method.startsWith("released-")) return released(gram, count, method as "released-complete" | "released-ward");
  const E = gram.length;
  const distances = new Float64Array(E * E);
  for (let a = 0; a < E; a++) for (let b = 0; b < E; b++) distances[a * E + b] = a === b ? 0 : distance(gram, [a], [b]);
  return Array.from(clusters(linkage({ rows: E, columns: E, data: distances }, method as "average"), { count }));
}

/**
 * The member of a cluster that is closest to the cluster's mean; of equals the lowest.
 *
 * @example closestToCentre([[0, 0, 0], [0, 1, 2], [0, 2, 4]], [0, 1, 2])  // 1
 */
export function closestToCentre(gram: number[][], members: number[]): number {
  let best = members[0];
  for (const member of members)
    if (distance(gram, [member], members) < distance(gram, [best], members) * (1 - 1e-9)) best = member;
  return best;
}

/** Euclidean distance between the centres of two clusters. */
function distance(gram: number[][], a: number[], b: number[]): number {
  const product = (x: number[], y: number[]) =>
    x.reduce((sum, i) => y.reduce((part, j) => part + gram[i][j], sum), 0) / (x.length * y.length);
  return Math.sqrt(Math.max(0, product(a, a) + product(b, b) - 2 * product(a, b)));
}

function released(gram: number[][], count: number, method: "released-complete" | "released-ward"): number[] {
  let groups = gram.map((_, expert) => [expert]);
  const apart = (a: number[], b: number[]) => {
    if (method === "released-ward") return ((a.length * b.length) / (a.length + b.length)) * distance(gram, a, b);
    // negated: the released code takes the farthest pair where the nearest is meant
    return -Math.max(...a.flatMap((i) => b.map((j) => distance(gram, [i], [j]))));
  };
  while (groups.length > count) {
    let [first, second, nearest] = [0, 1, Infinity];
    for (let a = 0; a < groups.length; a++) {
      for (let b = a + 1; b < groups.length; b++) {
        const gap = apart(groups[a], groups[b]);
        if (gap < nearest) [first, second, nearest] = [a, b, gap];
      }
    }
    const merged = [...groups[first], ...groups[second]].sort((x, y) => x - y);
    groups = [...groups.filter((_, index) => index !== first && index !== second), merged].sort((x, y) => x[0] - y[0]);
  }
  return gram.map((_, expert) => groups.findIndex((group) => group.includes(expert)));
}
