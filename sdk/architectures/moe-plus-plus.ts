import type { RouterSpec } from "../model/router-spec.js";
import type { Recipe } from "./recipe.js";

export interface MoePlusPlusOptions {
  /** N_FFN, experts that compute */
  experts: number;
  width?: number;
  /** K; default 2 */
  topK?: number;
  zeros?: number;
  copies?: number;
  /** default max(N_FFN / 4 - zeros - copies, 1): equation 10 */
  constants?: number;
  /** tau, what f of a free expert counts in the balance; default 0.75 */
  tau?: number;
  /** beta; default 0.01 */
  balance?: number;
  /** gamma of the capacity by kind, equation 8; default none is dropped, as in the released code */
  capacity?: number;
  /** the router adds the logits of the one before through a matrix (equation 6); default true */
  residual?: boolean;
  /**
   * "paper" (default); "released": a router of two matrices, gates over all chosen but the zero expert, and experts
   * that read K x; "released-mixtral": its variant with a softmax over the chosen, which reads x
   */
  form?: "paper" | "released" | "released-mixtral";
  /** logits are brought to this standard deviation (an option of the released code, 0.7 there) */
  logitStd?: number;
  /** hidden width of the released router; default 8 N */
  routerWidth?: number;
}

/**
 * Experts that cost nothing beside those that compute: MoE++, arXiv:2410.07348. Zero, copy and constant experts
 * (equations 3 to 5) stand behind N_FFN others; a token takes the K best of all by the softmax over all (1), to which
 * the router adds the scores of the one before (6); the balance loss counts free experts by tau (7).
 */
export function moePlusPlus(options: MoePlusPlusOptions): Recipe {
  const { experts: N, width, topK = 2, zeros = 1, copies = 1, tau = 0.75, balance = 0.01, capacity, residual = true } =
    options;
  const constants = options.constants ?? Math.max(Math.floor(N / 4) - zeros - copies, 1);
  const { form = "paper", logitStd, routerWidth = 8 * (N + constants + copies + zeros) } = options;
  const carry = residual && { carry: true as const };
  const router: Partial<RouterSpec> = { topK,
    score: form === "paper"
      ? { kind: "linear", ...carry }
      : { kind: "mlp", width: routerWidth, activation: "tanh", ...carry },
    ...(form === "released" && { normalize: "nonzero" as const }),
    ...(form === "released-mixtral" && { kind: "chosen-softmax" as const }), ...(logitStd && { logitStd }),
    ...(capacity && { capacity: { factor: capacity, paid: tau } }) };
  return {
    experts: {
      experts: [{ ...(width && { width }), count: N }, { form: "constant" as const, blend: true, count: constants }, {
        form: "copy" as const,
        count: copies,
      }, { form: "zero" as const, count: zeros }].filter(({ count }) => count > 0),
      router,
      ...(form === "released" && { inputScale: topK }),
    },
    train: { losses: [{ kind: "balance", of: "tokens", times: "none", free: tau, weight: balance }] },
  };
}
