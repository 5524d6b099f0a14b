import type { Recipe } from "./recipe.js";

export interface DynamicMoeOptions {
  experts: number;
  width?: number;
  /** p, 0 < p <= 1; default 0.4 */
  p?: number;
  /** alpha, default 0.01 */
  balance?: number;
  /** beta, default 0.0001 */
  entropy?: number;
  /** of every so many layers the first has experts; default 2 */
  every?: number;
}

/**
 * Top-p routing: Dynamic-MoE, arXiv:2403.07652. A token takes experts, the most probable first, until the sum of their
 * probabilities exceeds p; their gates are the probabilities as they are. Balance counts the choices of a token one by
 * one, and an entropy term keeps the router sure of itself.
 */
export function dynamicMoe(options: DynamicMoeOptions): Recipe {
  const { experts, width, p = 0.4, balance = 0.01, entropy = 1e-4, every = 2 } = options;
  return {
    experts: { experts: [{ ...(width && { width }), count: experts }], every,
      router: { topK: experts, choose: { kind: "top-p", p } } },
    train: { losses: [{ kind: "balance", of: "tokens", weight: balance }, { kind: "entropy", weight: entropy }] },
  };
}
