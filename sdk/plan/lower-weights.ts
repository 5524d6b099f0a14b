import { MoeError } from "../errors.js";
import { expectedTensors } from "../model/expected-tensors.js";
import type { ModelSpec } from "../model/spec.js";
import type { Want } from "./fit/fitter.js";
import { fitterNamed } from "./fit/fitters.js";
import type { Fit, Plan, Term } from "./plan.js";
import type { Made, Recipe, Same, WeightName } from "./recipe.js";

/**
 * Weights that a plan names are made from its terms, whatever they were before, and then fitted. Changes the recipes.
 *
 * @throws MoeError `bad-plan` when a name is of no weight of the planned model
 */
export function lowerWeights(
  spec: ModelSpec,
  weights: NonNullable<Plan["weights"]>,
  recipes: Map<WeightName, Made>,
): void {
  const read = new Set<string>();
  const keys = Object.keys(weights).sort((a, b) => b.length - a.length);
  for (const { name, shape } of expectedTensors(spec)) {
    const key = keys.find((key) => key === name || key.endsWith(".") && name.startsWith(key));
    if (key === undefined) continue;
    read.add(key);
    const { from, format, fit = format && { by: "nearest" } } = weights[key];
    if (from) recipes.set(name, { of: sumOf(from, name, key, shape), part: "" });
    if (!fit) continue;
    if (shape.length === 2)
      recipes.set(name, fitted(recipes.get(name)!, name, fit, { ...(format && { format }), options: {} }));
    else if (key === name)
      throw bad(`weights."${name}" has ${shape.length} axes; accepted are matrices to be fitted. Leave it out.`);
  }
  const unread = keys.find((key) => !read.has(key));
  if (unread !== undefined)
    throw bad(
      `weights."${unread}" is no weight of the planned model, nor a beginning of names that ends with "."; `
        + "accepted are names of its architecture. Correct it.",
    );
}

/**
 * What a fitter makes of a weight.
 *
 * @param name what was measured is said of this weight, where it is not read from one of the model
 */
export function fitted({ of, part }: Made, name: WeightName, { by, statistic, options = {} }: Fit, want: Want): Made {
  fitterNamed(by);
  const source: Same = { make: "same", names: { [part]: sourceOf(of, part) ?? name },
    ...(statistic && { tensors: statistic }) };
  return {
    of: { make: "fit", of, part, by, want: { ...want, options: { ...want.options, ...options } },
      ...(statistic && { statistic: source }) },
    part,
  };
}

/** The weight of the model that a recipe changes: what was measured about it is said under this name. */
function sourceOf(of: Recipe, part: string): WeightName | undefined {
  if (of.make === "same") return of.names[part];
  return of.make === "take" || of.make === "matched" || of.make === "fit" ? sourceOf(of.of, part) : undefined;
}

function bad(what: string): MoeError {
  return new MoeError("bad-plan", `plan: ${what}`);
}

function sumOf(terms: readonly Term[], name: WeightName, key: string, shape: readonly number[]): Recipe {
  const sum = terms.map((term) => {
    if ("value" in term || "normal" in term) return { of: { make: "fill" as const, name, shape, ...term }, weight: 1 };
    // a beginning of names stands for the same beginning at the source
    const source = term.name === undefined ? name : key === name ? term.name : term.name + name.slice(key.length);
    const { model, weight = 1 } = term;
    return { of: { make: "same" as const, names: { "": source }, ...(model && { model }) }, weight };
  });
  return sum.length === 1 && sum[0].weight === 1 ? sum[0].of : { make: "sum", terms: sum };
}
