import { type Cost, type ReportFile, type Score } from "../evaluate/index.js";

/** One metric of a model on a task. */
export interface NamedScore extends Score {
  higherIsBetter: boolean;
  /** 95 % interval of a share of items (Clopper and Pearson) */
  interval?: { low: number; high: number };
}

/** Scores of one model on one task, or on running text. */
export interface TaskScore {
  task: string;
  /** the metric that speaks first: "exact_match" where there are answers, "nll" for running text */
  headline: string;
  /** by name: "exact_match", "token_accuracy", "nll" (nats per token), "kl" (nats, from the model as loaded) */
  metrics: Readonly<Record<string, NamedScore>>;
}

/** What became of quality, memory and compute. */
export interface Evaluation {
  data: { id: string; fingerprint: string };
  /** of the model as it is now, by task and metric: `scores["spell-to-pronounce"].exact_match.value` */
  scores: Readonly<Record<string, TaskScore["metrics"]>>;
  before?: { scores: TaskScore[]; cost: Cost };
  after: { scores: TaskScore[]; cost: Cost };
  /** in the layout of lm-evaluation-harness; `before` is there under the same task names in its own report */
  report: ReportFile;
}
