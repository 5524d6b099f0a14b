import type { RouterSpec } from "../model/router-spec.js";
import type { KSchedule } from "../train/rules/rising-k.js";
import type { Recipe } from "./recipe.js";

export interface SmoeDropoutOptions {
  /** N, slices of a dense block */
  experts: number;
  /** hidden neurons of a slice */
  width: number;
  /** experts per token at the first step; default N / 2 */
  from?: number;
  by?: KSchedule;
  /** what slices weigh: "softmax" over the chosen (released), the same times k, or "one", as in the dense block */
  scale?: "softmax" | "softmax-times-k" | "one";
}

/**
 * Experts as dropout: SMoE-Dropout, arXiv:2303.01610. A dense block in N slices, a router that is drawn once and never
 * trained, and a number of slices per token that rises to N while the model is trained; afterwards it runs with any
 * (`route` with `experts-per-token`). Slices cut out of a trained block: recipes `{ block: "ffn", neurons }` of a plan.
 */
export function smoeDropout({ experts: N, width, from = N / 2, by, scale = "softmax" }: SmoeDropoutOptions): Recipe {
  const router: Partial<RouterSpec> = { score: { kind: "linear", frozen: true }, bias: true, topK: N,
    kind: scale === "one" ? "one" : "chosen-softmax", ...(scale === "softmax-times-k" && { scale: N }) };
  return { experts: { experts: [{ width, count: N }], router },
    train: { risingK: { from, to: N, ...(by && { by }) } } };
}
