export interface SparsityScheduleOptions {
  /** T: training steps */
  steps: number;
  /** share of the rows' entries that is left at the end */
  keep: number;
  /** Ti: no row is dropped up to and including this step */
  start: number;
  /** Tf: for so many steps before the last the share is the final one */
  settle: number;
}

/** q(t), and whether rows are dropped at this step */
export interface SparsityStep {
  keep: number;
  prune: boolean;
}

/**
 * The share of the remainder that is left at step t (equation 5 of arXiv:2310.01334, as its code has it; the printed
 * one jumps at Ti): 1 up to Ti, then `qT + (1 - qT) (1 - (t - Ti) / (T - Ti - Tf))^3`, qT for t > T - Tf.
 *
 * @param step t, from 0
 * @example sparsityAt(60, { steps: 2000, keep: 0.1, start: 50, settle: 200 }).keep  // 0.98465…
 */
export function sparsityAt(step: number, { steps, keep, start, settle }: SparsityScheduleOptions): SparsityStep {
  if (step <= start) return { keep: 1, prune: false };
  if (step > steps - settle) return { keep, prune: true };
  const left = 1 - (step - start) / (steps - start - settle);
  return { keep: keep + (1 - keep) * left ** 3, prune: true };
}
