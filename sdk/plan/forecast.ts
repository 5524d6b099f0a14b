import { type Cost, cost, type Shape } from "../model/cost.js";
import type { ModelSpec } from "../model/spec.js";
import type { TensorInfo, WeightSource } from "../model/weight-source.js";
import { type ApplySpeeds, timeOf, usualSpeeds } from "./apply-speeds.js";
import { Descriptions } from "./bench.js";
import { checkPlan } from "./check.js";
import { describe, lower } from "./lower.js";
import type { Work } from "./make/maker.js";
import type { Plan, SourceName } from "./plan.js";
import type { Same } from "./recipe.js";
import { totalOf, worksOf } from "./work.js";

/** What a plan will come to, before anything is done. */
export interface Forecast {
  /** what the model is now, and will be */
  before: Cost;
  after: Cost;
  parameters: { before: number; after: number };
  /** of all weights as they are stored, each in its number format */
  sizeBytes: { before: number; after: number };
  flopsPerToken: { before: number; after: number };
  /** what apply does while the new weights are made, one after the other */
  work: Work;
  /** most bytes that apply holds at once beyond the model */
  peakBytes: number;
  /** the work at the given speeds */
  applyMs: number;
}

export interface ForecastOptions {
  /** what runs, for the FLOPs; default one token of one sequence */
  shape?: Shape;
  /**
   * for sizes in the checkpoint's own number formats, and for what reading takes; default float32 throughout, in memory
   */
  weights?: WeightSource;
  /** architectures of further models that the plan reads */
  sources?: Record<SourceName, ModelSpec>;
  /** of this machine, as `applySpeeds` measures them; default those of a laptop's core */
  speeds?: ApplySpeeds;
}

/**
 * Computes what a plan costs and saves; no weight is read.
 *
 * @throws MoeError `bad-plan`
 * @example forecast(spec, plan).parameters  // { before: 1978520064, after: 732810240 }
 */
export function forecast(
  spec: ModelSpec,
  plan: Plan,
  { shape, weights, speeds = usualSpeeds, sources = {} }: ForecastOptions = {},
): Forecast {
  const checked = checkPlan(plan, spec, sources);
  const { spec: planned, recipes } = lower(spec, checked, sources);
  const [before, after] = [cost(spec, shape), cost(planned, shape)];
  const others = new Map(Object.entries(sources).map(([name, spec]) => [name, describe(spec)]));
  const own = weights ?? describe(spec);
  const source = ({ model }: Same) => (model ? others.get(model)! : own);
  const descriptions = new Descriptions(source);
  const work = totalOf(worksOf(recipes, source));
  return {
    before,
    after,
    work,
    parameters: { before: before.parameters.total, after: after.parameters.total },
    sizeBytes: weights
      ? { before: sum([...weights.names()].map((name) => weights.info(name))),
        after: sum([...recipes.values()].map((made) => descriptions.info(made))) }
      : { before: 4 * before.parameters.total, after: 4 * after.parameters.total },
    flopsPerToken: { before: before.flopsPerToken, after: after.flopsPerToken },
    peakBytes: work.peakBytes,
    applyMs: timeOf(work, speeds),
  };
}

/** bytes of all tensors as they are stored */
function sum(infos: TensorInfo[]): number {
  return infos.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
