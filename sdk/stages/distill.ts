import type { StudyState } from "./study-state.js";
import { tuned, type TuneOptions } from "./tune.js";

/** Defaults that differ from `.train`: 150 steps, learning rate 2e-4, alpha 0.2, routers as they are. */
export type DistillOptions = TuneOptions;

/**
 * Recovers a changed model: task loss plus `alpha` times the KL divergence from the model as it was loaded, routers
 * frozen,
 * no dropout. Section 3.2 of arXiv:2310.01334 and its code. After a `.compress` into factors the rows
 * of
 * the remainders go on the way, by importance, as in section 3.3.
 */
export function distillStage(study: StudyState, options: DistillOptions = {}): Promise<StudyState> {
  return tuned(study, "distill", { ...options, steps: options.steps ?? 150, lr: options.lr ?? 2e-4,
    alpha: options.alpha ?? 0.2, routers: options.routers ?? false });
}
