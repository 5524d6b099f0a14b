import { MoeError } from "../../errors.js";
import type { Merge } from "./linkage.js";

/**
 * Cuts a tree of merges into clusters: into `count` of them, or where merges become higher than `height`.
 * Equal to `scipy.cluster.hierarchy.cut_tree` and `fcluster(..., "distance")`, among ties as well.
 *
 * @returns the cluster of each leaf, numbered by first appearance
 */
export function clusters(merges: Merge[], cut: { count: number } | { height: number }): Int32Array {
  const n = merges.length + 1;
  if ("count" in cut && !(Number.isInteger(cut.count) && cut.count >= 1 && cut.count <= n)) {
    throw new MoeError("cluster-count", `clusters: count is ${cut.count} for ${n} leaves; accepted is 1 to ${n}.`);
  }
  const order = cutOrder(merges);
  const kept = "count" in cut ? order.slice(0, n - cut.count) : order.filter((i) => merges[i].height <= cut.height);
  const parent = Int32Array.from({ length: 2 * n - 1 }, (_, i) => i);
  for (const i of kept) parent[merges[i].a] = parent[merges[i].b] = n + i;
  const root = (i: number): number => (parent[i] === i ? i : root(parent[i]));
  const numbers = new Map<number, number>();
  return Int32Array.from({ length: n }, (_, leaf) => {
    const top = root(leaf);
    if (!numbers.has(top)) numbers.set(top, numbers.size);
    return numbers.get(top)!;
  });
}

/**
 * Merges from the lowest up; of equally high ones, that comes first which a walk from the root by levels, right child
 * first, meets last.
 */
function cutOrder(merges: Merge[]): number[] {
  const n = merges.length + 1;
  const walk = [merges.length - 1];
  for (let at = 0; at < walk.length && walk[at] >= 0; at++) {
    const { a, b } = merges[walk[at]];
    walk.push(...[b, a].filter((child) => child >= n).map((child) => child - n));
  }
  return walk.filter((i) => i >= 0).reverse().sort((p, q) => merges[p].height - merges[q].height);
}
