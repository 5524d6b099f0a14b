import { MoeError } from "../errors.js";
import type { SpecAndWeights } from "../model/spec-and-weights.js";
import type { WeightSource } from "../model/weight-source.js";
import { checkPlan } from "./check.js";
import { lower } from "./lower.js";
import type { Plan, SourceName } from "./plan.js";
import { PlannedWeights } from "./planned-weights.js";

export interface ApplyOptions {
  /** further tensors that recipes name (`elementwise: "fisher"`), with the names and shapes of the model's weights */
  tensors?: Record<string, WeightSource>;
  /** further models that the plan reads, by the names that it gives them */
  sources?: Record<SourceName, SpecAndWeights>;
}

/**
 * Carries out a plan. Nothing is computed here: the new weights are made when they are read, one matrix at a
 * time, and what the plan leaves alone is read from the original. The original is untouched, so undoing is going
 * back to it; applying the same plan again gives the same bytes.
 *
 * @throws MoeError `plan-of-another-model` when the plan was made for other weights, `bad-plan`
 * @example const merged = await applyPlan(model, mSmoe.plan(profile, { keep: 4 }));
 */
export async function applyPlan(
  model: SpecAndWeights,
  plan: Plan,
  options: ApplyOptions = {},
): Promise<SpecAndWeights> {
  const fingerprint = await model.weights.fingerprint();
  if (plan.for !== fingerprint) {
    throw new MoeError("plan-of-another-model",
      `apply: the plan "${plan.method}" is for model ${shortened(plan.for)}, this is model `
        + `${shortened(fingerprint)}; accepted is a plan from a profile of these very weights. Profile this `
        + "model and plan again.");
  }
  const { sources = {} } = options;
  const specs = Object.fromEntries(Object.entries(sources).map(([name, { spec }]) => [name, spec]));
  for (const [name, expected] of Object.entries(plan.sources ?? {})) {
    const found = await sources[name]?.weights.fingerprint();
    if (found !== expected)
      throw new MoeError("plan-of-another-model",
        `apply: the plan "${plan.method}" reads a model "${name}" of fingerprint ${shortened(expected)}, `
          + `${found ? `given is ${shortened(found)}` : "none was given"}; accepted is that model. `
          + `Pass { sources: { ${JSON.stringify(name)}: … } }.`);
  }
  const checked = checkPlan(plan, model.spec, specs);
  const missing = tensorsOf(checked).find((name) => !options.tensors?.[name]);
  if (missing !== undefined)
    throw new MoeError("tensors-missing",
      `apply: the plan reads numbers "${missing}" beside the weights, which were not given. Pass { tensors: { `
        + `${JSON.stringify(missing)}: … } }.`);
  const { spec, recipes } = lower(model.spec, checked, specs);
  return { spec,
    weights: new PlannedWeights(model.weights, checked, recipes, options.tensors,
      Object.fromEntries(Object.entries(sources).map(([name, { weights }]) => [name, weights]))) };
}

/** Names of the sets of numbers beside the weights that a plan reads. */
function tensorsOf({ layers, units = {}, weights = {} }: Plan): string[] {
  const slots = Object.values(layers).flatMap(({ slots = [] }) => slots);
  const fits = [...Object.values(units), ...Object.values(weights)];
  return [...slots.flatMap(({ elementwise }) => elementwise ?? []), ...fits.flatMap(({ fit }) => fit?.statistic ?? [])];
}

function shortened(fingerprint: string): string {
  return fingerprint.length > 12 ? `${fingerprint.slice(0, 12)}…` : fingerprint;
}
