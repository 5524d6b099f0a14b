import { type SpecAndWeights } from "../model/spec-and-weights.js";
import { mean } from "../statistics/mean.js";
import { median } from "../statistics/median.js";
import { type ApplySpeeds, timeOf } from "./apply-speeds.js";
import { type ApplyOptions, applyPlan } from "./apply.js";
import { checkPlan } from "./check.js";
import { describe, lower } from "./lower.js";
import type { Plan } from "./plan.js";
import { worksOf } from "./work.js";

export interface TimeApplyOptions extends ApplyOptions {
  /**
   * about how long the trial takes by the counted work; default 2,000. With 0 nothing is tried, and the counted time
   * stands
   */
  trialMs?: number;
}

/**
 * Forecasts how long making all changed weights takes on this machine: slots of all sizes are made for a trial, as many
 * as there is
 * time for, and the others take what lies between those of the next smaller and the next larger size. How long an
 * assignment or a
 * decomposition takes depends on the numbers, so that counting alone is wrong by a factor.
 *
 * @param speeds as `applySpeeds` measures them
 */
export async function timeApply(
  model: SpecAndWeights,
  plan: Plan,
  speeds: ApplySpeeds,
  { trialMs = 2000, ...options }: TimeApplyOptions = {},
): Promise<number> {
  const models = { "": model, ...options.sources };
  const specs = Object.fromEntries(Object.entries(models).map(([name, { spec }]) => [name, spec]));
  const described = new Map(Object.entries(specs).map(([name, spec]) => [name, describe(spec)]));
  const { recipes } = lower(model.spec, checkPlan(plan, model.spec, specs), specs);
  const works = worksOf(recipes, ({ model = "" }) => described.get(model)!);
  const counted = works.map(({ work }) => timeOf(work, speeds));
  const sumOf = (slots: number[]) => slots.reduce((sum, at) => sum + counted[at], 0);
  const bySize = works.map((_, at) => at).sort((a, b) => counted[a] - counted[b]);
  // the engine's first call of anything is slow, and a single pass tells little: three times what is chosen, or more
  const tried = mostThatFit(bySize, (slots) => 3 * sumOf(slots) <= trialMs);
  if (tried.length === 0) return sumOf(bySize);

  const running = [...tried].sort((a, b) => a - b);
  await pass();
  const said: number[] = [];
  const started = performance.now();
  do said.push(whole(await pass())); while (said.length < 15
    && (performance.now() - started) * (1 + 1 / said.length) < (trialMs * 2) / 3);
  return median(said);

  /** milliseconds of each slot that is tried, made in running order from new weights, which remember nothing */
  async function pass(): Promise<Map<number, number>> {
    const { weights } = await applyPlan(model, plan, options);
    const took = new Map<number, number>();
    for (const at of running) {
      const begun = performance.now();
      for (const name of works[at].names) await weights.values(name);
      took.set(at, performance.now() - begun);
    }
    return took;
  }

  /** milliseconds of all slots after a pass */
  function whole(took: Map<number, number>): number {
    const sizes = [...new Set([...took.keys()].map((at) => counted[at]))].sort((a, b) => a - b);
    const known = sizes.map(
      (size): [number, number] => [size, mean([...took].filter(([at]) => counted[at] === size).map(([, ms]) => ms))]
    );
    return counted.reduce((sum, size, at) => sum + (took.get(at) ?? between(known, size)), 0);
  }
}

/** The most slots, evenly spread over the sizes, that pass: with the smallest, and with the largest where it fits. */
function mostThatFit(bySize: number[], fits: (slots: number[]) => boolean): number[] {
  for (let end = bySize.length; end > 0; end = Math.floor(0.8 * end)) {
    for (let count = end; count > 1; count = Math.floor(0.8 * count)) {
      const spread = Array.from({ length: count }, (_, i) => bySize[Math.round((i * (end - 1)) / (count - 1))]);
      if (fits(spread)) return spread;
    }
  }
  return fits(bySize.slice(0, 1)) ? bySize.slice(0, 1) : [];
}

/** Milliseconds of a size by the line through its neighbours; beyond them, in proportion to the nearest. */
function between(known: [number, number][], size: number): number {
  const upper = known.findIndex(([other]) => other >= size);
  const [nearSize, nearMs] = known[upper === -1 ? known.length - 1 : upper];
  if (upper <= 0) return (nearMs * size) / nearSize;
  const [lowSize, lowMs] = known[upper - 1];
  return lowMs + ((nearMs - lowMs) * (size - lowSize)) / (nearSize - lowSize);
}
