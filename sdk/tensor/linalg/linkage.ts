import { MoeError, suggest } from "../../errors.js";
import { type Matrix, mustBeFinite, mustBeSquare } from "./matrix.js";

export type LinkageMethod = "single" | "complete" | "average" | "weighted" | "ward";

/** Clusters a < b become one. 0 ... n - 1 are the leaves, n + i is what merge i made. */
export interface Merge {
  a: number;
  b: number;
  height: number;
  size: number;
}

/**
 * distance of cluster i to the union of x and y, from its distances to both, theirs, and the three sizes (Lance and
 * Williams)
 */
const updates: Record<Exclude<LinkageMethod, "single">,
  (xi: number, yi: number, xy: number, nx: number, ny: number, ni: number) => number> = {
    complete: (xi, yi) => Math.max(xi, yi),
    average: (xi, yi, _, nx, ny) => (nx * xi + ny * yi) / (nx + ny),
    weighted: (xi, yi) => 0.5 * (xi + yi),
    ward: (xi, yi, xy, nx, ny, ni) => {
      const share = 1 / (nx + ny + ni);
      return Math.sqrt((ni + nx) * share * xi * xi + (ni + ny) * share * yi * yi - ni * share * xy * xy);
    },
  };

/**
 * Agglomerative hierarchical clustering, equal to `scipy.cluster.hierarchy.linkage` with its order among ties:
 * a minimum spanning tree for "single", chains of nearest neighbours for the others. O(n^2).
 *
 * @param distances n x n, symmetric; "ward" takes Euclidean ones
 * @returns n - 1 merges, lowest first
 */
export function linkage(distances: Matrix, method: LinkageMethod): Merge[] {
  mustBeSquare(distances, "linkage");
  mustBeFinite(distances, "linkage");
  if (method !== "single" && !updates[method]) {
    throw new MoeError("unknown-linkage",
      `linkage: method "${method}" is not known. ${suggest(method, ["single", ...Object.keys(updates)])}`);
  }
  if (distances.rows === 0) return [];
  const raw = method === "single" ? spanningTree(distances) : neighbourChains(distances, updates[method]);
  raw.sort((p, q) => p.height - q.height);
  return named(raw, distances.rows);
}

interface RawMerge {
  x: number;
  y: number;
  height: number;
}

/** Prim's algorithm */
function spanningTree({ rows: n, data }: Matrix): RawMerge[] {
  const merged = new Uint8Array(n);
  const nearest = new Float64Array(n).fill(Infinity);
  const merges: RawMerge[] = [];
  for (let x = 0; merges.length < n - 1;) {
    let [height, y] = [Infinity, 0];
    merged[x] = 1;
    for (let i = 0; i < n; i++) {
      if (merged[i]) continue;
      nearest[i] = Math.min(nearest[i], data[x * n + i]);
      if (nearest[i] < height) [height, y] = [nearest[i], i];
    }
    merges.push({ x, y, height });
    x = y;
  }
  return merges;
}

/** Follows nearest neighbours until two are each other's, merges them, and goes on from the rest of the chain. */
function neighbourChains({ rows: n, data }: Matrix, update: (typeof updates)["average"]): RawMerge[] {
  const distance = Float64Array.from(data);
  const sizes = new Int32Array(n).fill(1); // 0: merged into another
  const chain: number[] = [];
  const merges: RawMerge[] = [];
  while (merges.length < n - 1) {
    if (chain.length === 0) chain.push(sizes.findIndex((size) => size > 0));
    let [x, y, height] = [0, -1, Infinity];
    for (;;) {
      x = chain[chain.length - 1];
      const before = chain.length > 1 ? chain[chain.length - 2] : -1;
      [y, height] = before >= 0 ? [before, distance[x * n + before]] : [-1, Infinity];
      for (let i = 0; i < n; i++) {
        if (sizes[i] > 0 && i !== x && distance[x * n + i] < height) [y, height] = [i, distance[x * n + i]];
      }
      if (y === before) break;
      chain.push(y);
    }
    chain.length -= 2;
    if (x > y) [x, y] = [y, x];
    merges.push({ x, y, height });
    const [nx, ny] = [sizes[x], sizes[y]];
    [sizes[x], sizes[y]] = [0, nx + ny];
    for (let i = 0; i < n; i++) {
      if (sizes[i] === 0 || i === y) continue;
      distance[i * n + y] = distance[y * n + i] = update(distance[i * n + x], distance[i * n + y], height, nx, ny,
        sizes[i]);
    }
  }
  return merges;
}

/** Gives clusters their numbers, in the order of the heights. */
function named(raw: RawMerge[], n: number): Merge[] {
  const parent = Int32Array.from({ length: 2 * n - 1 }, (_, i) => i);
  const sizes = new Int32Array(2 * n - 1).fill(1, 0, n);
  const root = (i: number): number => (parent[i] === i ? i : (parent[i] = root(parent[i])));
  return raw.map(({ x, y, height }, i) => {
    const [a, b] = [root(x), root(y)].sort((p, q) => p - q);
    parent[a] = parent[b] = n + i;
    sizes[n + i] = sizes[a] + sizes[b];
    return { a, b, height, size: sizes[n + i] };
  });
}
