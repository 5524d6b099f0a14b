import { type TrainingRule, withRouters } from "./training-rule.js";

/** How k goes from one number to another over the steps. */
export type KSchedule = "linear" | "cosine" | "exponential" | "doubling" | "constant";

export interface RisingKOptions {
  /** experts per token at the first step */
  from: number;
  /** at the last; below `from` k falls */
  to: number;
  /** default "linear" */
  by?: KSchedule;
}

/**
 * Experts per token at step s of S, counted from 0, by the released schedules of SMoE-Dropout, arXiv:2303.01610.
 * "linear": round((to - from) s / S) + from; "cosine": to - round((to - from) cos(pi s / 2 S)); "exponential": the same
 * with 0.99^(s // (S // 300)); "doubling": 1, 2, 4, 8, 16 in five even parts. Falling ones are mirrors; halves go to
 * even numbers.
 */
export function kAt({ from, to, by = "linear" }: RisingKOptions, s: number, S: number): number {
  const [least, most] = [Math.min(from, to), Math.max(from, to)];
  const span = most - least, rises = to >= from;
  const cut = (k: number) => Math.min(most, Math.max(least, k));
  const left = (share: number) => (rises ? most - roundEven(span * share) : least + roundEven(span * share));
  switch (by) {
    case "constant":
      return to;
    case "linear":
      return cut(rises ? roundEven((span * s) / S) + least : most - roundEven((span * s) / S));
    case "cosine":
      return cut(left(Math.cos((Math.PI * s) / (2 * S))));
    case "exponential":
      return cut(left(0.99 ** Math.floor(s / Math.max(1, Math.floor(S / 300)))));
    case "doubling": {
      const part = Math.min(4, Math.floor((5 * s) / S));
      return cut(2 ** (rises ? part : 4 - part));
    }
  }
}

/** The same number of experts per token in every MoE layer, another one at each step. */
export function risingK(options: RisingKOptions): TrainingRule {
  return {
    before: (step, steps, spec) => withRouters(spec, () => ({ topK: kAt(options, step - 1, steps) })),
  };
}

/** Python's round */
function roundEven(x: number): number {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + (floor % 2) : Math.round(x);
}
