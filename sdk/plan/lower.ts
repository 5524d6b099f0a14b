import { MoeError } from "../errors.js";
import { expectedTensors } from "../model/expected-tensors.js";
import { layerId, type LayerSpec, type ModelSpec } from "../model/spec.js";
import { dtypeSizeBytes } from "../tensor/formats/dtype-size.js";
import { Descriptions } from "./bench.js";
import { RowBudget } from "./kept-rows.js";
import { lowerExperts } from "./lower-slots.js";
import { type Described, sizeOf } from "./make/maker.js";
import type { LayerPlan, Plan } from "./plan.js";
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
export function lower(spec: ModelSpec, plan: Plan): Lowered {
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
      layers[index] = withoutBlocks(layer, change.drop);
      if (layer.ffn?.kind === "moe" && layers[index].ffn) {
        const { ffn, recipes } = lowerExperts(id, layer.ffn, change, spec.width, budget);
        layers[index].ffn = ffn;
        for (const [name, recipe] of recipes) made.set(name, recipe);
      }
    });
    // the owner of T5's bias table may be gone: the first attention that is left takes it
    const heir = layers.findIndex((layer) => relativeBias(layer));
    if (owner < 0 || heir < 0 || heir === owner) continue;
    relativeBias(layers[heir])!.own = true;
    const [from, to] = [owner, heir].map((layer) => `${layerId(stack, layer)}.attention.relativeBias`);
    made.set(to, { of: { make: "same", names: { "": from } }, part: "" });
  }
  return { spec: planned, recipes: complete(spec, planned, made) };
}

function withoutBlocks(layer: LayerSpec, drop: LayerPlan["drop"]): LayerSpec {
  if (drop === "layer") return { norm: layer.norm };
  const left = { ...layer };
  if (drop) delete left[drop];
  return left;
}

/** T5's bias of a layer that has one */
function relativeBias({ attention }: LayerSpec): { own: boolean } | undefined {
  return attention?.kind === "softmax" ? attention.relative : undefined;
}

/** Every weight of the planned model: made, or the one of its name. */
function complete(
  spec: ModelSpec,
  planned: ModelSpec,
  made: ReadonlyMap<WeightName, Made>,
): ReadonlyMap<WeightName, Made> {
  const source = describe(spec);
  const descriptions = new Descriptions(() => source);
  const recipes = new Map<WeightName, Made>();
  for (const { name, shape } of expectedTensors(planned)) {
    const recipe = made.get(name) ?? { of: { make: "same" as const, names: { "": name } }, part: "" };
    recipes.set(name, recipe);
    if (isUntouched(name, recipe) && !source.has(name))
      throw bad(`${name} is a weight of the planned model, and nothing says what it is made from`);
    const { shape: found } = descriptions.info(recipe);
    if (found.join() !== shape.join())
      throw bad(`${name} is made with shape ${found.join(" x ")}, the planned model needs ${shape.join(" x ")}`);
  }
  const unread = [...made.keys()].find((name) => !recipes.has(name));
  if (unread !== undefined) throw bad(`${unread} is made and is no weight of the planned model`);
  return recipes;
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
