import type { Lab, Metric } from "../method/lab.js";
import type { Judge, Space } from "./search.js";

/** Scores the plans of candidates in a lab, all of one call on the same tokens. */
export function judgeIn<C>(lab: Lab, space: Pick<Space<C>, "changes">, metric: Metric): Judge<C> {
  return async (candidates, tokens, draws) => {
    const on = lab.sample(tokens, draws);
    const scores: number[] = [];
    for (const candidate of candidates) scores.push(await lab.score(space.changes(candidate), on, metric));
    return scores;
  };
}
