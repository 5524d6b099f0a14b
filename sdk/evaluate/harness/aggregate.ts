import { mean, meanStderr } from "../../statistics/mean.js";
import type { Rng } from "../../tensor/rng.js";
import type { HarnessMetric, HarnessTask, Sample } from "../../text/harness-task.js";
import type { TaskResult } from "../report.js";
import { bootstrap } from "../statistics/bootstrap.js";
import { bitsPerByte, perplexity, type Weighted, weightedPerplexity } from "./perplexity.js";

const WEIGHTED: Partial<Record<HarnessMetric, (items: Weighted[]) => number>> = {
  word_perplexity: weightedPerplexity,
  byte_perplexity: weightedPerplexity,
  bits_per_byte: bitsPerByte,
};

/**
 * Makes the numbers of a task from its samples, by metric and filter.
 * Standard errors: of the mean for shares; by bootstrap for `perplexity` (its value depends on the generator); none for
 * perplexities over words and bytes, nor for a single document.
 */
export function aggregate(task: HarnessTask, samples: readonly Sample[], rng: Rng): TaskResult {
  const filters = [...new Set(samples.map(({ filter }) => filter))];
  const metrics = filters.flatMap((filter) =>
    task.metrics.map((metric) => {
      const values = samples.filter((sample) => sample.filter === filter).map((sample) => sample.values[metric]!);
      const weighted = WEIGHTED[metric];
      if (weighted) return { metric, filter, value: weighted(values as Weighted[]) };
      const numbers = values as number[];
      const [value, stderr] = metric === "perplexity"
        ? [perplexity(numbers), () => bootstrap(numbers, perplexity, { rng }).stderr]
        : [mean(numbers), () => meanStderr(numbers)];
      return { metric, filter, value, ...(numbers.length > 1 && { stderr: stderr() }) };
    })
  );
  return { task: task.name, metrics, n: task.documents.length, shots: task.shots?.count ?? 0,
    version: task.version ?? 1, config: { task: task.name, output_type: task.output, ...task.config } };
}
