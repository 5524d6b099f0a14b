import { MoeError } from "../errors.js";
import { expectedTensors } from "../model/expected-tensors.js";
import type { ModelSpec } from "../model/spec.js";
import type { Plan, Term } from "./plan.js";
import type { Made, Recipe, WeightName } from "./recipe.js";

/**
 * Weights that a plan names are made from its terms, whatever they were before. Changes the recipes.
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
    recipes.set(name, { of: from(weights[key].from, name, key, shape), part: "" });
  }
  const unread = keys.find((key) => !read.has(key));
  if (unread !== undefined)
    throw new MoeError("bad-plan",
      `plan: weights."${unread}" is no weight of the planned model, nor a beginning of names that ends with "."; `
        + "accepted are names of its architecture. Correct it.");
}

function from(terms: readonly Term[], name: WeightName, key: string, shape: readonly number[]): Recipe {
  const sum = terms.map((term) => {
    if ("value" in term || "normal" in term) return { of: { make: "fill" as const, name, shape, ...term }, weight: 1 };
    // a beginning of names stands for the same beginning at the source
    const source = term.name === undefined ? name : key === name ? term.name : term.name + name.slice(key.length);
    const { model, weight = 1 } = term;
    return { of: { make: "same" as const, names: { "": source }, ...(model && { model }) }, weight };
  });
  return sum.length === 1 && sum[0].weight === 1 ? sum[0].of : { make: "sum", terms: sum };
}
