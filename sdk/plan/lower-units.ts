import { MoeError, suggest } from "../errors.js";
import type { ModelSpec } from "../model/spec.js";
import { type Unit, type UnitName, units } from "../model/units.js";
import { fitted } from "./lower-weights.js";
import type { Fit, UnitPlan } from "./plan.js";
import type { Made, Recipe, WeightName } from "./recipe.js";

/**
 * Leaves the units that stay, in their order: every matrix that they run through is cut, and the spec says so. Changes
 * both.
 *
 * @throws MoeError `bad-plan`
 */
export function cutUnits(
  spec: ModelSpec,
  cuts: Readonly<Record<UnitName, UnitPlan>>,
  recipes: Map<WeightName, Made>,
): void {
  const table = new Map(units(spec).map((unit) => [unit.name, unit]));
  for (const [name, { keep, fit }] of Object.entries(cuts)) {
    const unit = table.get(name);
    if (!unit) throw bad(`it cuts ${name}, which is no unit of the model. ${suggest(name, [...table.keys()])}`);
    if (keep.length === 0 || new Set(keep).size < keep.length || keep.some((index) => index >= unit.count))
      throw bad(`${name}.keep is no list of different ${unit.of} below ${unit.count}`);
    cut(unit, keep, fit, recipes);
    unit.resize(spec, keep.length);
  }
}

/** Parts that are made together are cut together; those that lose inputs are fitted apart, where somebody is to. */
function cut({ members }: Unit, keep: readonly number[], fit: Fit | undefined, recipes: Map<WeightName, Made>): void {
  const places = (times: number) => keep.flatMap((index) => Array.from({ length: times }, (_, k) => index * times + k));
  const together = new Map<Recipe, typeof members>();
  for (const member of members) {
    const made = recipes.get(member.weight)!;
    if (fit && member.axis === 1)
      recipes.set(member.weight, fitted(made, member.weight, fit, { keep: places(member.times), options: {} }));
    else together.set(made.of, [...(together.get(made.of) ?? []), member]);
  }
  for (const [of, its] of together) {
    const axes = Object.fromEntries(its.map(({ weight, axis }) => [recipes.get(weight)!.part, axis]));
    const take: Recipe = { make: "take", of, axes, at: places(its[0].times) };
    for (const [name, made] of recipes) if (made.of === of) recipes.set(name, { ...made, of: take });
  }
}

function bad(what: string): MoeError {
  return new MoeError("bad-plan", `plan: ${what}; accepted are units as the model has them. Correct it.`);
}
