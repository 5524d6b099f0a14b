import { mean, meanStderr } from "../statistics/mean.js";
import { ratio } from "./statistics/ratio.js";

/** One number about a model on a task, with what paired tests need. */
export interface Score {
  metric: string;
  value: number;
  /** of `value`, over items; NaN for a single item */
  stderr: number;
  /** items */
  n: number;
  /** the metric of each item, in the order of the task's items */
  perItem: number[];
}

/** A score whose value is the mean over items. */
export function itemScore(metric: string, perItem: number[]): Score {
  return { metric, value: mean(perItem), stderr: meanStderr(perItem), n: perItem.length, perItem };
}

/** A score whose value is the mean over tokens: items count by their length. `perItem` holds the mean of each item. */
export function tokenScore(metric: string, sums: number[], sizes: number[]): Score {
  return { metric, ...ratio(sums, sizes), n: sums.length, perItem: sums.map((sum, item) => sum / sizes[item]) };
}
