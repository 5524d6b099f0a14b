import type { StudyState } from "./study-state.js";
import { tuned, type TuneOptions } from "./tune.js";

/**
 * Defaults that differ from `.distill`: 300 steps, learning rate 1e-3, no teacher, routers trained, gradients clipped
 * at 1.
 */
export type TrainStageOptions = TuneOptions;

/**
 * Trains a model on its tasks, or on given text or batches: a new one from `create`, or one that was loaded. `balance`
 * keeps the experts in use; `prune` drops experts on the way. Unless something was changed or dropped, what comes out
 * is
 * what later changes are compared with.
 */
export async function trainStage(study: StudyState, options: TrainStageOptions = {}): Promise<StudyState> {
  const trained = await tuned(study, "train", { clip: 1, ...options, steps: options.steps ?? 300,
    lr: options.lr ?? 1e-3, alpha: options.alpha ?? 0, routers: options.routers ?? true });
  return study.model === study.original && !options.prune
    ? { ...trained, base: study.base ?? study.original, original: trained.model, profile: undefined, plan: undefined }
    : trained;
}
