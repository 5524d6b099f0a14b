import { type Cost, type ReportFile, type Score } from "../evaluate/index.js";

/** Scores of one model on one task. */
export interface TaskScore {
  task: string;
  exactMatch: Score;
  tokenAccuracy: Score;
  /** nats per token */
  nll: Score;
  /** KL(model as loaded || model now), nats per token; absent for the model as loaded */
  kl?: Score;
  /** 95 % interval of the exact match (Clopper and Pearson) */
  interval: { low: number; high: number };
}

/** What became of quality, memory and compute. */
export interface Evaluation {
  data: { id: string; fingerprint: string };
  before?: { scores: TaskScore[]; cost: Cost };
  after: { scores: TaskScore[]; cost: Cost };
  /** in the layout of lm-evaluation-harness; `before` is there under the same task names in its own report */
  report: ReportFile;
}
