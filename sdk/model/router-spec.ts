export interface RouterSpec {
  /**
   * - `softmax`: over all logits, then the K largest
   * - `sigmoid`: of each logit, then the K largest
   * - `chosen-softmax`: the K largest logits, then a softmax over these
   * - `sparsemixer`: one choice after the other; a gate is a softmax over the rivals within 2 `jitter` (relative) of
   *   the best
   */
  kind: "softmax" | "sigmoid" | "chosen-softmax" | "sparsemixer";
  /** K */
  topK: number;
  /** gates of the chosen are divided by their sum */
  normalize: boolean;
  /** by the p-norm instead of the sum */
  normalizeP?: number;
  scale: number;
  bias: boolean;
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
  /** tokens per expert and sequence; later ones are dropped. 0: no limit */
  capacity: number;
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
