import * as v from "valibot";
import { MoeError, suggest } from "../errors.js";
import { type LayerId, layerId, type LayerSpec, type ModelSpec, type MoeFfnSpec } from "../model/spec.js";
import { parsed } from "../parsed.js";
import type { LayerPlan, Plan } from "./plan.js";

/** Far above any model that exists; a plan beyond them is a mistake or an attack. */
export const planLimits = {
  /** layers of both stacks */
  layers: 4096,
  /** router outputs or slots of a layer */
  experts: 1 << 20,
  /** hidden neurons of an expert */
  width: 1 << 20,
  rank: 1 << 16,
  /** characters of a name */
  name: 1024,
};

const name = v.pipe(v.string(), v.maxLength(planLimits.name));
const index = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(planLimits.experts));
const list = <T extends v.GenericSchema>(item: T, most: number) => v.pipe(v.array(item), v.maxLength(most));
const share = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(1));
const neurons = list(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(planLimits.width)), planLimits.width);

const form = v.variant("form", [v.strictObject({ form: v.literal("dense") }), v.strictObject({
  form: v.literal("low-rank-sparse"),
  rank: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(planLimits.rank)),
  keep: share,
  rows: v.optional(v.record(v.picklist(["up", "gate", "down"]), neurons)),
})]);

const alignment = v.strictObject({
  by: v.picklist(["weights", "activations"]),
  to: v.picklist(["first", "leader", "lowest"]),
  permutations: v.optional(v.record(v.pipe(v.string(), v.regex(/^\d{1,7}$/)), neurons)),
});

const slot = v.strictObject({
  from: v.pipe(list(v.strictObject({ expert: index, weight: v.pipe(v.number(), v.finite()) }), planLimits.experts),
    v.minLength(1)),
  elementwise: v.optional(name),
  align: v.optional(alignment),
  zip: v.optional(v.union([v.literal("weights"), v.record(v.pipe(v.string(), v.regex(/^\d{1,7}$/)), neurons)])),
  zipBy: v.optional(v.literal("mean")),
  form: v.optional(form),
});

const layer = v.strictObject({
  drop: v.optional(v.picklist(["layer", "attention", "ffn"])),
  slots: v.optional(list(slot, planLimits.experts)),
  expertOf: v.optional(
    list(v.pipe(v.number(), v.integer(), v.minValue(-1), v.maxValue(planLimits.experts)), planLimits.experts),
  ),
  router: v.optional(v.strictObject({
    mask: v.optional(list(index, planLimits.experts)),
    maskBy: v.optional(v.literal("released-product")),
    topK: v.optional(v.pipe(index, v.minValue(1))),
    rows: v.optional(v.pipe(list(index, planLimits.experts), v.minLength(1))),
    combine: v.optional(v.boolean()),
    merge: v.optional(v.literal("sequence")),
    skipBelow: v.optional(v.pipe(v.number(), v.finite(), v.minValue(0))),
  })),
});

const plan = v.strictObject({
  version: v.literal(1),
  for: name,
  method: name,
  paper: v.optional(name),
  options: v.record(name, v.unknown()),
  layers: v.pipe(v.record(name, layer),
    v.check((layers) => Object.keys(layers).length <= planLimits.layers,
      `at most ${planLimits.layers} layers are accepted`)),
});

/**
 * Reads a plan from outside (parsed JSON): its shape and sizes, nothing about a model.
 *
 * @throws MoeError `bad-plan` that says where
 */
export function parsePlan(json: unknown): Plan {
  return parsed(plan, json,
    (why) => new MoeError("bad-plan", `plan: ${why} Correct it, or let a method make the plan again.`)) as Plan;
}

/**
 * Checks that a plan can be applied to a model of this architecture: layers exist, maps have the right length,
 * every index points at something, permutations permute, and the router keeps enough outputs.
 *
 * @returns the plan, parsed
 * @throws MoeError `bad-plan`
 */
export function checkPlan(json: unknown, spec: ModelSpec): Plan {
  const parsed = parsePlan(json);
  const layers = layersOf(spec);
  for (const [id, change] of Object.entries(parsed.layers)) {
    const layer = layers.get(id);
    if (!layer) throw bad(`it names ${id}, which the model does not have. ${suggest(id, [...layers.keys()])}`);
    checkLayer(id, change, layer);
  }
  return parsed;
}

function layersOf(spec: ModelSpec): Map<LayerId, LayerSpec> {
  const found = new Map<LayerId, LayerSpec>();
  for (const stack of ["encoder", "decoder"] as const)
    spec[stack]?.layers.forEach((layer, index) => found.set(layerId(stack, index), layer));
  return found;
}

function checkLayer(id: LayerId, change: LayerPlan, layer: LayerSpec): void {
  if (change.drop && (change.slots || change.expertOf || change.router) && change.drop !== "attention") {
    throw bad(`${id} is dropped and changed at once`);
  }
  if (!change.slots && !change.expertOf && !change.router) return;
  if (layer.ffn?.kind !== "moe") throw bad(`${id} has no experts to change`);
  checkSlots(id, change, layer.ffn);
  checkRouter(id, change, layer.ffn);
  if (change.router?.merge) checkSequenceMerge(id, change, layer);
}

/** A sequence's expert is made from all of its tokens, so no token may be kept from seeing the later ones. */
function checkSequenceMerge(id: string, { slots }: LayerPlan, { attention, ffn }: LayerSpec): void {
  if (attention && !(attention.kind === "softmax" && !attention.causal))
    throw new MoeError("sees-later-tokens",
      `plan: ${id} merges experts for each sequence, but its tokens may not see later ones; accepted is a `
        + `layer without a causal mask. Use { level: "task" }, or exclude the layer.`);
  const stored = (ffn as MoeFfnSpec).slots;
  if (!slots && new Set(stored.map((slot) => `${slot.form} ${slot.width}`)).size > 1)
    throw bad(`${id} merges experts of unequal form or width`);
}

function checkSlots(id: LayerId, { slots, expertOf }: LayerPlan, ffn: MoeFfnSpec): void {
  const count = slots?.length ?? ffn.slots.length;
  if (expertOf && expertOf.length !== ffn.experts)
    throw bad(`${id}.expertOf has ${expertOf.length} entries, the router has ${ffn.experts} outputs`);
  const map = expertOf ?? ffn.expertOf;
  const beyond = map.find((slot) => slot >= count);
  if (beyond !== undefined) throw bad(`${id}.expertOf points at slot ${beyond} of ${count}`);

  slots?.forEach((recipe, index) => {
    const where = `${id}.slots[${index}]`;
    const widths = recipe.from.map(({ expert }) => {
      const slot = expert < ffn.experts ? ffn.slots[ffn.expertOf[expert]] : undefined;
      if (!slot)
        throw bad(
          `${where} reads expert ${expert}; the layer has ${ffn.experts} router outputs, and those without an `
            + "expert cannot be read",
        );
      return slot.width;
    });
    if (widths.some((width) => width !== widths[0]))
      throw bad(`${where} sums experts of widths ${[...new Set(widths)].join(" and ")}`);
    if (recipe.zip && (recipe.align || recipe.elementwise))
      throw bad(`${where} zips neurons and aligns or weighs them at once`);
    const { zip } = recipe;
    if (zip && recipe.from.some(({ weight }) => weight < 0))
      throw bad(`${where} zips neurons by a mean with a weight below 0`);
    const unplaced = typeof zip === "object" && recipe.from.find(({ expert }) => {
      const places = zip[expert];
      return places?.length !== widths[0] || places.some((place) => place >= widths[0]);
    });
    if (unplaced)
      throw bad(`${where}.zip does not give each of the ${widths[0]} neurons of expert ${unplaced.expert} a place`);
    for (const permutation of Object.values(recipe.align?.permutations ?? {})) {
      if (permutation.length !== widths[0] || new Set(permutation).size !== widths[0]
        || permutation.some((neuron) => neuron >= widths[0])) {
        throw bad(`${where}.align holds something that is no permutation of ${widths[0]} neurons`);
      }
    }
  });
}

function checkRouter(id: LayerId, { router, expertOf }: LayerPlan, ffn: MoeFfnSpec): void {
  const rows = router?.rows ?? Array.from({ length: ffn.experts }, (_, row) => row);
  const beyond = [...rows, ...(router?.mask ?? [])].find((row) => row >= ffn.experts);
  if (beyond !== undefined) throw bad(`${id}.router names output ${beyond} of ${ffn.experts}`);
  if (new Set(rows).size !== rows.length) throw bad(`${id}.router.rows names an output twice`);
  const masked = new Set([...(ffn.router.masked ?? []), ...(router?.mask ?? [])]);
  const open = rows.filter((row) => !masked.has(row)).length;
  const topK = router?.topK ?? ffn.router.topK;
  if (open < topK) throw bad(`${id}: ${open} router outputs stay open, a token takes ${topK}`);
  if (expertOf && expertOf.every((slot) => slot < 0)) throw bad(`${id}.expertOf leads nowhere`);
}

function bad(what: string): MoeError {
  return new MoeError("bad-plan",
    `plan: ${what}; accepted is a plan as \`plan\` makes it for this model. Make it again.`);
}
