import type { ClusterOptions } from "../train/objectives/cluster.js";
import type { Recipe } from "./recipe.js";

export interface MoecOptions {
  /** N */
  experts: number;
  width?: number;
  /** C, runs of N / C neighbours */
  clusters: number;
  /** r, width in which tokens and experts are compared; default 32 */
  routerWidth?: number;
  /** default 0.01 */
  weight?: number;
  mu?: number;
  within?: ClusterOptions["within"];
  /** share of the experts of each cluster that is left out in training, and for how many steps; default none */
  dropout?: { rate: number; interval?: number; seed?: number };
}

/**
 * Expert clusters: MoEC, arXiv:2207.09094. The best expert by cosine in few dimensions, y = a E(x) + (1 - a) x with a =
 * sigmoid(cosine / learned temperature); a loss makes probabilities equal inside clusters, and training leaves shares
 * of every cluster out.
 */
export function moec(options: MoecOptions): Recipe {
  const { experts, width, clusters, routerWidth = 32, weight = 0.01, mu = 1, within = "clusters", dropout } = options;
  return {
    experts: { experts: [{ ...(width && { width }), count: experts }], passes: true,
      router: { score: { kind: "cosine", width: routerWidth, temperature: "learned" }, kind: "sigmoid" } },
    train: { losses: [{ kind: "cluster", clusters, mu, within, weight }],
      ...(dropout && { clusterDropout: { clusters, ...dropout } }) },
  };
}
