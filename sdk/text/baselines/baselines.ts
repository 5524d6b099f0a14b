import { METRICS, type Score } from "../metrics.js";
import type { MetricName, Part, Task } from "../tasks/task.js";
import type { Baseline } from "./baseline.js";
import { copy } from "./copy.js";
import { firstOption } from "./first-option.js";
import { frequentOption } from "./frequent-option.js";
import { lastTwoWords } from "./last-two-words.js";
import { letterTable } from "./letter-table.js";
import { majority } from "./majority.js";
import { naiveBayes } from "./naive-bayes.js";
import { suffixTable } from "./suffix-table.js";
import { suffixVote } from "./suffix-vote.js";

/** The baselines that a task definition may name. */
export const BASELINES: Readonly<Record<string, Baseline>> = {
  "majority": majority,
  "copy": copy,
  "letter-table": letterTable,
  "suffix-table": suffixTable,
  "suffix-vote": suffixVote,
  "last-two-words": lastTwoWords,
  "naive-bayes": naiveBayes,
  "first-option": firstOption,
  "frequent-option": frequentOption,
};

export interface BaselineScore {
  name: string;
  metric: MetricName;
  score: number;
  stderr: number;
  n: number;
}

/**
 * Scores the baselines of a task's definition on the same items that a model is scored on.
 *
 * @param options.metric default: the one that the task is judged by
 * @param options.part default `test`
 * @param options.limit only the first so many items, as a model's quick evaluation does
 */
export async function baselines(
  task: Task,
  options: { metric?: MetricName; part?: Part; limit?: number } = {},
): Promise<BaselineScore[]> {
  const { metric = task.definition.metrics[0], part = "test", limit = Infinity } = options;
  const items = task[part].slice(0, limit);
  return task.definition.baselines.map((name) => {
    const answer = BASELINES[name](task);
    const { value, stderr, n }: Score = METRICS[metric](items.map(answer), items.map((item) => item.answer));
    return { name, metric, score: value, stderr, n };
  });
}
