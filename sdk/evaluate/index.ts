export { type Cost, cost, type CostOptions, type Shape } from "../model/cost.js";
export type { UsageShares } from "../model/weight-groups.js";
export { mean, meanStderr, standardDeviation } from "../statistics/mean.js";
export type { HarnessModel, HarnessTask, Sample } from "../text/harness-task.js";
export { type Divergence, divergence } from "./divergence.js";
export { type GenerationItem, type GenerationScores, scoreGeneration,
  type ScoreGenerationOptions } from "./generation-score.js";
export { aggregate } from "./harness/aggregate.js";
export { languageModel, type LanguageModelOptions } from "./harness/language-model.js";
export { runTask } from "./harness/run-task.js";
export { Inspection, inspectModel } from "./inspection.js";
export { paperSlugs, type PrintedPaper, printedPaper, type PrintedTable } from "./printed-paper.js";
export { printedTable } from "./printed-table.js";
export { type Provenance, provenance } from "./provenance.js";
export { readReport, type ReportFile, writeReport } from "./report-file.js";
export { isHigherBetter, report, type TaskGroup, type TaskResult, taskResult, taskResults } from "./report.js";
export type { Score } from "./score.js";
export { binomialInterval } from "./statistics/binomial-interval.js";
export { bootstrap } from "./statistics/bootstrap.js";
export { type ArmComparison, type ArmResult, type Claim, compareArms,
  type JudgedClaim } from "./statistics/compare-arms.js";
export { holm } from "./statistics/holm.js";
export { type PairedInterval, pairedT } from "./statistics/paired-t.js";
export { pairsNeeded } from "./statistics/pairs-needed.js";
export { type Side, type Verdict, verdict } from "./statistics/verdict.js";
export { judgeClaims, type StudyClaim, type StudyEntry, type StudyMean, studyMeans, type StudyResults,
  studyResults } from "./study-results.js";
export { scoreTask, type ScoreTaskOptions, type TaskScores } from "./task-score.js";
export { type LogitsModel, type TaskBatch, TeacherLogits } from "./teacher-logits.js";
export { usageEntries } from "./usage-entries.js";
