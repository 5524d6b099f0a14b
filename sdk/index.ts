export { specFromConfig } from "./checkpoint/family.js";
export { openModel } from "./checkpoint/open-model.js";
export { RowPruning } from "./compress/row-pruning.js";
export { FormatError, MoeError } from "./errors.js";
export * from "./evaluate/index.js";
export type { Method } from "./method/method.js";
export { defineMethod, methodList } from "./methods.js";
export type { Batch } from "./model/batch.js";
export { type Forward, type ForwardOptions, type LayerRouting, Model } from "./model/model.js";
export * from "./model/spec.js";
export { Trainable } from "./model/trainable.js";
export { moe } from "./moe.js";
export { type Changed, create, type Evaluated, from, load, type Loaded, type Planned,
  type Profiled } from "./pipeline.js";
export { loadPlan } from "./plan/plan-file.js";
export type { LayerPlan, Plan, RouterPlan, SlotRecipe } from "./plan/plan.js";
export { effectiveExperts } from "./profile/effective-experts.js";
export { type LayerProfile, type Profile, usage } from "./profile/profile.js";
export { EagerPruning } from "./prune/eager-pruning.js";
export { type Arm, Comparison } from "./stages/compare.js";
export type { Evaluation, TaskScore } from "./stages/evaluation.js";
export { StudyPlan } from "./stages/study-plan.js";
export { Study } from "./stages/study.js";
export { asBfloat16, asFloat64, engineInfo, float64Data, ready, Rng, tf } from "./tensor/index.js";
export { baselines, DOMAINS, domainTexts, listCorpora, listTasks, loadCorpus, loadTask, loadTokenizer,
  zeroShotTasks } from "./text/index.js";
export { train } from "./train/train.js";
export type { TrainingPruning } from "./train/training-pruning.js";
export { chart, charts, display, progress, table } from "./view/index.js";
