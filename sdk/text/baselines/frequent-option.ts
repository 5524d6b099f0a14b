import type { Baseline } from "./baseline.js";
import { optionsOf } from "./first-option.js";

/**
 * Chooses the option that is more often an answer in training, the first if equal: above one half it tells that wrong
 * options leak.
 */
export const frequentOption: Baseline = ({ train }) => {
  const counts = new Map<string, number>();
  for (const { answer } of train) counts.set(answer.join(""), (counts.get(answer.join("")) ?? 0) + 1);
  const count = (option: string[]) => counts.get(option.join("")) ?? 0;
  return ({ prompt }) => optionsOf(prompt).reduce((best, option) => (count(option) > count(best) ? option : best));
};
