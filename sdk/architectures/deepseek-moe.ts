import { MoeError } from "../errors.js";
import type { RouterLoss } from "../train/objectives/router-loss.js";
import type { Recipe } from "./recipe.js";

export interface DeepseekMoeOptions {
  /** N, experts of full width */
  experts: number;
  /** K, of which a token takes so many */
  topK: number;
  /** F of a full expert */
  width: number;
  /** m, pieces of each; default 1 */
  pieces?: number;
  /** K_s, pieces that every token takes; default 0 */
  shared?: number;
  /** alpha_1; default 0.01 */
  balance?: number;
  /** alpha_2, over groups of router outputs; default none */
  device?: { weight: number; groups: number[][] };
  /** over which tokens the first is made; the released code's default is "sequence" */
  per?: "batch" | "sequence";
  /** gates divided by their sum, a flag of the released code; default false */
  normalize?: boolean;
}

/**
 * Fine-grained and shared experts: DeepSeekMoE, arXiv:2401.06066. N experts become m N of width F / m, of which K_s are
 * shared (equations 6 to 9); of the m N - K_s others a token takes m K - K_s by the softmax over all, whose gates are
 * not normalised (10, 11). Expert-level balance (12 to 14) and, if asked, device-level balance (15 to 17).
 *
 * @example moe.create({ ...config, ...deepseekMoe({ experts: 8, topK: 2, width: 64, pieces: 4, shared: 1 }).experts })
 */
export function deepseekMoe(options: DeepseekMoeOptions): Recipe {
  const { experts: N, topK: K, width: F, pieces: m = 1, shared = 0, balance = 0.01, device, per, normalize } = options;
  const [routed, topK, width] = [m * N - shared, m * K - shared, Math.floor(F / m)];
  if (topK < 1 || width < 1)
    throw new MoeError("bad-architecture",
      `deepseekMoe: ${shared} shared of ${m} x ${K} active experts leave ${topK} that are chosen, of width ${width}; `
        + "accepted is at least one. Take fewer shared experts or more pieces.");
  const losses: RouterLoss[] = [{ kind: "balance", weight: balance, ...(per && { per }) },
    ...(device ? [{ kind: "device" as const, ...device }] : [])];
  return {
    experts: { experts: [{ width, count: routed }], router: { topK, ...(normalize && { normalize }) },
      ...(shared && { shared: shared * width }) },
    train: { losses },
  };
}
