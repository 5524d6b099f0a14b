import { applyPlan, type ApplyOptions, type SpecAndWeights } from "./apply.js";
import { timeOf, type ApplySpeeds } from "./apply-speeds.js";
import { slotWorks } from "./apply-work.js";
import type { Plan } from "./plan.js";

export interface TimeApplyOptions extends ApplyOptions {
  /** longest that the trial may take by the counted work; default 2,000. Slower slots are not tried, and the counted time stands */
  trialMs?: number;
}

/**
 * Forecasts how long making all changed weights takes on this machine: the smallest slot and the largest that is not too slow are
 * made for a trial, and the others take what their counted work comes to by the line through these two. How long an
 * assignment or a decomposition takes depends on the numbers, so that counting alone is wrong by a factor.
 *
 * @param speeds as `applySpeeds` measures them
 */
export async function timeApply(model: SpecAndWeights, plan: Plan, speeds: ApplySpeeds, { trialMs = 2000, ...options }: TimeApplyOptions = {}): Promise<number> {
  const trial = await applyPlan(model, plan, options);
  const works = slotWorks(model.spec, plan, trial.spec);
  const counted = works.map(({ work }) => timeOf(work, speeds));
  const total = counted.reduce((sum, ms) => sum + ms, 0);
  const order = works.map((_, at) => at).sort((a, b) => counted[a] - counted[b]);
  if (order.length === 0) return 0;
  const small = order[0];
  const large = order.findLast((at) => 2 * counted[small] + counted[at] <= trialMs);
  if (large === undefined) return total;

  await make(small); // the engine compiles and warms up
  const [first, second] = [await make(small), await make(large)];
  const slope = (second - first) / (counted[large] - counted[small]);
  // two slots of about the same size tell nothing about the slope
  if (counted[large] < 1.3 * counted[small] || !(slope > 0)) return (total * (first + second)) / (counted[small] + counted[large]);
  return counted.reduce((sum, ms) => sum + Math.max(0, first + slope * (ms - counted[small])), 0);

  /** milliseconds of one slot, the mean over as many as fit into a moment, so that collecting garbage counts */
  async function make(at: number): Promise<number> {
    const times: number[] = [];
    do times.push(await makeOnce(at)); while (times.length < 8 && times.reduce((sum, ms) => sum + ms, 0) < 60);
    return times.reduce((sum, ms) => sum + ms, 0) / times.length;
  }

  /** from new weights, which remember nothing */
  async function makeOnce(at: number): Promise<number> {
    const { layer, slot } = works[at];
    const { weights } = await applyPlan(model, plan, options);
    const prefix = `${layer}.experts.${slot}.`;
    const names = [...weights.names()].filter((name) => name.startsWith(prefix));
    const started = performance.now();
    for (const name of names) await weights.values(name);
    return performance.now() - started;
  }
}
