import { MoeError } from "../errors.js";
import { expectedTensors } from "../model/expected-tensors.js";
import { layerId, type LayerSpec, type ModelSpec } from "../model/spec.js";
import { dtypeSizeBytes } from "../tensor/formats/dtype-size.js";
import { Descriptions } from "./bench.js";
import { RowBudget } from "./kept-rows.js";
import { lowerExperts } from "./lower-slots.js";
import { cutUnits } from "./lower-units.js";
import { lowerWeights } from "./lower-weights.js";
import { type Described, sizeOf } from "./make/maker.js";
import { checkedLayer, patchedLayer } from "./patched-layer.js";
import type { Plan, SourceName } from "./plan.js";
import type { Made, WeightName } from "./recipe.js";
import { isUntouched } from "./work.js";

/** What a plan comes to: the architecture, and what each of its weights is made from. */
export interface Lowered {
  spec: ModelSpec;
  /** every weight of that architecture, in running order */
  recipes: ReadonlyMap<WeightName, Made>;
}

/**
 * Turns a plan into recipes. Reads no weight, so it costs nothing: what is forecast is exactly what is applied. The
 * plan has been checked (`checkPlan`); the given spec is left as it is.
 *
 * @throws MoeError `bad-plan` when a weight of the planned model has no recipe, or one of another shape
 */
export function lower(spec: ModelSpec, plan: Plan, sources: Readonly<Record<SourceName, ModelSpec>> = {}): Lowered {
  const planned = structuredClone(spec);
  const made = new Map<WeightName, Made>();
  const budget = new RowBudget();
  for (const stack of ["encoder", "decoder"] as const) {
    const layers = planned[stack]?.layers ?? [];
    const owner = layers.findIndex((layer) => relativeBias(layer)?.own);
    layers.forEach((layer, index) => {
      const id = layerId(stack, index);
      const change = plan.layers[id];
      if (!change) return;
      layers[index] = patchedLayer(id, layer, change);
      const { ffn } = layers[index];
      if (ffn?.kind !== "moe" || !change.slots && !change.expertOf && !change.router) return;
      const layerOf = (model?: SourceName) => (model ? sources[model]?.[stack]?.layers[index] : layer);
      const { recipes, ...lowered } = lowerExperts(id, ffn, change, { layerOf, width: spec.width, budget });
      layers[index].ffn = lowered.ffn;
      if (change.router?.spec) layers[index] = checkedLayer(id, layers[index]);
      for (const [name, recipe] of recipes) made.set(name, recipe);
    });
    // the owner of T5's bias table may be gone: the first attention that is left takes it
    const heir = layers.findIndex((layer) => relativeBias(layer));
    if (owner < 0 || heir < 0 || heir === owner) continue;
    relativeBias(layers[heir])!.own = true;
    const [from, to] = [owner, heir].map((layer) => `${layerId(stack, layer)}.attention.relativeBias`);
    made.set(to, { of: { make: "same", names: { "": from } }, part: "" });
  }
  const recipes = new Map(
    expectedTensors(planned).map(
      ({ name }): [WeightName, Made] => [name,
        made.get(name) ?? { of: { make: "same", names: { "": name } }, part: "" }]
    ),
  );
  const unread = [...made.keys()].find((name) => !recipes.has(name));
  if (unread !== undefined) throw bad(`${unread} is made and is no weight of the planned model`);
  if (plan.units) cutUnits(planned, plan.units, recipes);
  if (plan.weights) lowerWeights(planned, plan.weights, recipes);
  checkShapes(spec, planned, recipes, sources);
  return { spec: planned, recipes };
}

/** T5's bias of a layer that has one */
function relativeBias({ attention }: LayerSpec): { own: boolean } | undefined {
  return attention?.kind === "softmax" ? attention.relative : undefined;
}

/** Every weight of the planned model is made, in its shape. */
function checkShapes(
  spec: ModelSpec,
  planned: ModelSpec,
  recipes: ReadonlyMap<WeightName, Made>,
  sources: Readonly<Record<SourceName, ModelSpec>>,
): void {
  const own = describe(spec);
  const others = new Map(Object.entries(sources).map(([name, spec]) => [name, describe(spec)]));
  const descriptions = new Descriptions(({ model }) => {
    const source = model === undefined ? own : others.get(model);
    if (!source) throw bad(`a recipe reads a model "${model}", which was not given`);
    return source;
  });
  for (const { name, shape } of expectedTensors(planned)) {
    const recipe = recipes.get(name)!;
    if (isUntouched(name, recipe) && !own.has(name))
      throw bad(`${name} is a weight of the planned model, and nothing says what it is made from`);
    const { shape: found } = descriptions.info(recipe);
    if (found.join() !== shape.join())
      throw bad(`${name} is made with shape ${found.join(" x ")}, the planned model needs ${shape.join(" x ")}`);
  }
}

/** The weights that an architecture has, as float32 in memory. */
export function describe(spec: ModelSpec): Described {
  const shapes = new Map(expectedTensors(spec).map(({ name, shape }) => [name, shape]));
  return {
    has: (name) => shapes.has(name),
    info(name) {
      const shape = shapes.get(name);
      if (!shape) throw bad(`a recipe reads ${name}, which the model does not have`);
      return { dtype: "F32", shape, sizeBytes: dtypeSizeBytes.F32! * sizeOf(shape) };
    },
  };
}

function bad(what: string): MoeError {
  return new MoeError("bad-plan",
    `plan: ${what}; accepted is a plan whose weights are those of its architecture. Make it again.`);
}
