import { MoeError } from "../errors.js";
import { expectedTensors } from "../model/expected-tensors.js";
import { isFormable, setForm } from "../model/form/formed-matrices.js";
import { formTensors } from "../model/form/forms.js";
import type { MatrixForm } from "../model/form/matrix-form.js";
import type { ModelSpec } from "../model/spec.js";
import type { Want } from "./fit/fitter.js";
import { fitterNamed } from "./fit/fitters.js";
import type { Fit, Plan, Term, WeightPlan } from "./plan.js";
import type { Made, Recipe, Same, WeightName } from "./recipe.js";

/**
 * Weights that a plan names are made from its terms, whatever they were before, then put into a form, fitted, packed.
 * Changes the spec and the recipes.
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
  const keyOf = (name: WeightName) => keys.find((key) => key === name || key.endsWith(".") && name.startsWith(key));
  const formed = new Map<WeightName, string>();
  for (const { name, shape } of expectedTensors(spec)) {
    const key = keyOf(name);
    if (key === undefined) continue;
    read.add(key);
    const { from, format, form, fit = format && { by: "nearest" } } = weights[key];
    if (from) recipes.set(name, { of: sumOf(from, name, key, shape), part: "" });
    if (form && (isFormable(name, shape) || key === name)) {
      for (const part of putInForm(spec, name, shape, weights[key] as WeightPlan & { form: MatrixForm }, recipes))
        formed.set(part, key);
    }
    if (form || !fit) continue;
    if (shape.length === 2)
      recipes.set(name, fitted(recipes.get(name)!, name, fit, { ...(format && { format }), options: {} }));
    else if (key === name)
      throw bad(`weights."${name}" has ${shape.length} axes; accepted are matrices to be fitted. Leave it out.`);
  }
  for (const { name, shape } of formed.size > 0 ? expectedTensors(spec) : []) {
    const format = formed.has(name) && weights[formed.get(name)!].format;
    if (format && shape.length === 2)
      recipes.set(name, fitted(recipes.get(name)!, name, { by: "nearest" }, { format, options: {} }));
  }
  if (formed.size > 0) inOrder(spec, recipes);
  const unread = keys.find((key) => !read.has(key));
  if (unread !== undefined)
    throw bad(
      `weights."${unread}" is no weight of the planned model, nor a beginning of names that ends with "."; `
        + "accepted are names of its architecture. Correct it.",
    );
}

/**
 * Puts a matrix into a form: by its fitter; or it stays, and what comes beside it begins as in a new model.
 *
 * @returns names of what stands in its place
 */
function putInForm(
  spec: ModelSpec,
  name: WeightName,
  shape: readonly number[],
  { form, fit }: WeightPlan & { form: MatrixForm },
  recipes: Map<WeightName, Made>,
): WeightName[] {
  if (!isFormable(name, shape))
    throw bad(`weights."${name}" has no form of its own; accepted are matrices of blocks and experts. Leave it out.`);
  const made = recipes.get(name)!;
  const tensors = formTensors(form, shape as [number, number]);
  const base = fit ? fitted(made, name, fit, { form, options: {} }) : made;
  if (!fit && !tensors.some((tensor) => tensor.name === ""))
    throw bad(`weights."${name}" becomes "${form.form}", and nothing says how; accepted is a fitter. Say fit: { by }.`);
  setForm(spec, name, form);
  recipes.delete(name);
  for (const { name: suffix, shape, start, index } of tensors) {
    const fill: Recipe = { make: "fill", name: name + suffix, shape, ...(index
      ? { values: Array.from({ length: shape[0] }, (_, at) =>
        at) }
      : start !== undefined
      ? { value: start }
      : { normal: shape.at(-1)! ** -0.5 }) };
    recipes.set(name + suffix,
      fit ? { of: base.of, part: base.part + suffix } : suffix === "" ? made : { of: fill, part: "" });
  }
  return tensors.map((tensor) => name + tensor.name);
}

/** Recipes in the order of the architecture. */
function inOrder(spec: ModelSpec, recipes: Map<WeightName, Made>): void {
  const made = new Map(recipes);
  recipes.clear();
  for (const { name } of expectedTensors(spec)) recipes.set(name, made.get(name)!);
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
