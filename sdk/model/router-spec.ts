import type { Activation } from "../tensor/ops/activation.js";

/**
 * A router is three questions, each answered by files in model/router/: what is an expert's score (`score/`), who is
 * chosen (`choose/`), what is a choice worth (`gate.ts`).
 */
export interface RouterSpec {
  /** where the logits [N, E] come from; default a matrix: `{ kind: "linear" }` */
  score?: RouterScore;
  /** who is chosen by the worth below; default the K best: `{ kind: "top" }` */
  choose?: RouterChoice;
  /**
   * what a choice is worth, its gate
   * - `softmax`: over all logits
   * - `sigmoid`, `relu`: of the logit
   * - `chosen-softmax`: over the logits of the chosen
   * - `one`: 1
   * - `sparsemixer`: one choice after the other; a gate is a softmax over the rivals within 2 `jitter` (relative) of
   *   the best
   */
  kind: "softmax" | "sigmoid" | "relu" | "chosen-softmax" | "one" | "sparsemixer";
  /** K: most choices of a token; -1 stands where there are fewer */
  topK: number;
  /** gates are divided by their sum over the chosen, or over those of the chosen that give something (AdaMoE) */
  normalize: boolean | "nonzero";
  /** by the p-norm instead of the sum */
  normalizeP?: number;
  scale: number;
  bias: boolean;
  /** logits are divided by their standard deviation over the experts and multiplied by this (MoE++'s code) */
  logitStd?: number;
  /** a learned number per expert, `router.choiceBias`, is added to the scores for the choice; gates leave it out */
  choiceBias?: boolean;
  /**
   * experts in `count` groups; only the best `keep` groups take part, ranked by their best score or the sum of the two
   * best
   */
  groups?: { count: number; keep: number; rank: "best" | "best-two" };
  /** of `sparsemixer` */
  jitter?: number;
  /** what a gate multiplies: the expert's output (default), or its input, and then the outputs are added as they are */
  gates?: "output" | "input";
  /** multiplies the outputs of the experts beside the gates */
  outputScale?: number;
  /**
   * tokens per expert and sequence; later ones are dropped. 0: no limit. By kind: `factor` times the share of the
   * tokens that an expert should get when free experts get 1 and the others `paid` (MoE++, equation 8, times K)
   */
  capacity: number | { factor: number; paid: number };
  /**
   * the E scores that are chosen from are mixed from those of the router's `inputs` outputs, by `router.mix` [E,
   * inputs], and may be negative (arXiv:2407.00945). Gates whose sum is not positive are 0 where they are normalised
   */
  mix?: { inputs: number };
  /** router outputs that are never chosen */
  masked?: number[];
  /**
   * "released-product": masked logits are multiplied by -1e6 instead, as arXiv:2310.01334's code did for one baseline;
   * negative ones then win
   */
  maskBy?: "released-product";
  /** a token's further choices are skipped when their gate is below this share of its first one (arXiv:2402.14800) */
  skipBelow?: number;
  /**
   * "sequence": all tokens of a sequence run through one expert, the sum of the chosen experts' weights by their gates;
   * the choice is made from the mean of their inputs (arXiv:2310.09832)
   */
  merge?: "sequence";
  /**
   * choices of a token that fall into one slot run once, with the sum of their gates: the same result for fewer FLOPs
   */
  combine?: boolean;
}

/**
 * - `linear`: `router` [E, D] x
 * - `mlp`: `router` [E, width] activation(`router.hidden` [width, D] x)
 * - `cosine`: cosines of `router.hidden` [width, D] x with the rows of `router` [E, width], divided by a temperature,
 *   which may be learned as `router.temperature` [1] (MoEC, arXiv:2207.09094)
 * - `hash`: numbers that follow from the token's id alone (arXiv:2106.04426)
 * - `random`: numbers drawn for each token, sequence or batch (THOR, arXiv:2110.04260); a pass draws by its seed
 *
 * `carry`: plus `router.carry` [E, E] times the logits of the router before in the stack, if there is one (MoE++).
 * `frozen`: training leaves the router as it began (SMoE-Dropout, arXiv:2303.01610).
 */
export type RouterScore =
  & { carry?: true; frozen?: true }
  & (
    | { kind: "linear" }
    | { kind: "mlp"; width: number; activation: Activation | "tanh" }
    | { kind: "cosine"; width: number; temperature: number | "learned" }
    | { kind: "hash"; seed?: number }
    | { kind: "random"; draw: "token" | "sequence" | "batch" }
  );

/**
 * - `top`: the K best; those before them, `skip` in number, are left out (DeepSeekMoE, figure 4)
 * - `top-p`: best first until their sum exceeds p, K at most (arXiv:2403.07652)
 * - `threshold`: those above `at`, K at most (ReMoE, arXiv:2412.14711)
 * - `by-expert`: every expert takes its `factor` T / E best tokens of a sequence of T (arXiv:2202.09368). Not causal:
 *   whether a token is taken depends on later ones
 */
export type RouterChoice =
  | { kind: "top"; skip?: number }
  | { kind: "top-p"; p: number }
  | { kind: "threshold"; at: number }
  | { kind: "by-expert"; factor: number };

/** Whether what a router says about a token depends on tokens after it. */
export function seesLaterTokens({ choose, merge }: RouterSpec): boolean {
  return choose?.kind === "by-expert" || merge === "sequence";
}
