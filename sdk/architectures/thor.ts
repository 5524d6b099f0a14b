import type { Recipe } from "./recipe.js";

export interface ThorOptions {
  /** M, experts of a layer */
  experts: number;
  width?: number;
  /** alpha; 5 in the published script */
  consistency?: number;
  /** for whom an expert is drawn: the whole batch as in the released training (default), a sequence, or each token */
  draw?: "batch" | "sequence" | "token";
  /** label smoothing; 0.1 in the published script */
  smoothing?: number;
  /** of every so many layers the first has experts; default 2 */
  every?: number;
}

/**
 * Stochastic experts: THOR, arXiv:2110.04260. No router: an expert is drawn anew for each layer and pass; training adds
 * the losses of two passes and alpha times the distance of what they say, so that experts agree.
 */
export function thor(options: ThorOptions): Recipe {
  const { experts, width, consistency = 5, draw = "batch", smoothing = 0.1, every = 2 } = options;
  return {
    experts: { experts: [{ ...(width && { width }), count: experts }], every,
      router: { score: { kind: "random", draw }, kind: "one" } },
    train: { consistency, smoothing },
  };
}
