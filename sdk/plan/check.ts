import * as v from "valibot";
import { MoeError, suggest } from "../errors.js";
import { matrixForm } from "../model/spec-schema.js";
import { type ExpertSpec, isFree, type LayerId, layerId, type LayerSpec, type ModelSpec,
  type MoeFfnSpec } from "../model/spec.js";
import { parsed } from "../parsed.js";
import { lower } from "./lower.js";
import { droppedBlocks, patchedLayer } from "./patched-layer.js";
import type { LayerPlan, Plan, SourceName } from "./plan.js";
import { slotForm } from "./slot-form.js";

/** Far above any model that exists; a plan beyond them is a mistake or an attack. */
export const planLimits = {
  /** layers of both stacks */
  layers: 4096,
  /** router outputs or slots of a layer */
  experts: 1 << 20,
  /** hidden neurons of an expert */
  width: 1 << 20,
  /** characters of a name */
  name: 1024,
};

const name = v.pipe(v.string(), v.maxLength(planLimits.name));
const index = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(planLimits.experts));
const list = <T extends v.GenericSchema>(item: T, most: number) => v.pipe(v.array(item), v.maxLength(most));
const neurons = list(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(planLimits.width)), planLimits.width);

const alignment = v.strictObject({
  by: v.picklist(["weights", "activations"]),
  to: v.picklist(["first", "leader", "lowest"]),
  permutations: v.optional(v.record(v.pipe(v.string(), v.regex(/^\d{1,7}$/)), neurons)),
});

const number = v.pipe(v.number(), v.finite());
const numbers = v.pipe(list(number, planLimits.width), v.minLength(1));
const expert = v.strictObject({ expert: index, weight: number });
const sources = v.union([v.strictObject({ expert: index, weight: number, model: v.optional(name) }),
  v.strictObject({ block: v.picklist(["ffn", "shared"]), weight: number, model: v.optional(name),
    neurons: v.optional(v.tuple([index, index])) })]);

const slot = {
  elementwise: v.optional(name),
  align: v.optional(alignment),
  zip: v.optional(v.union([v.literal("weights"), v.record(v.pipe(v.string(), v.regex(/^\d{1,7}$/)), neurons)])),
  zipBy: v.optional(v.literal("mean")),
  form: v.optional(slotForm),
};
const slots = <T extends v.GenericSchema>(source: T) =>
  v.optional(
    list(v.strictObject({ from: v.pipe(list(source, planLimits.experts), v.minLength(1)), ...slot }),
      planLimits.experts),
  );
const expertOf = v.optional(
  list(v.pipe(v.number(), v.integer(), v.minValue(-1), v.maxValue(planLimits.experts)), planLimits.experts),
);
const rows = { mask: v.optional(list(index, planLimits.experts)),
  rows: v.optional(v.pipe(list(index, planLimits.experts), v.minLength(1))) };
// what a patch makes of a spec is checked when it is known
const patch = v.optional(v.looseObject({}));

const layer1 = v.strictObject({
  drop: v.optional(v.picklist(["layer", "attention", "ffn"])),
  slots: slots(expert),
  expertOf,
  router: v.optional(v.strictObject({
    ...rows,
    maskBy: v.optional(v.literal("released-product")),
    topK: v.optional(v.pipe(index, v.minValue(1))),
    combine: v.optional(v.boolean()),
    merge: v.optional(v.literal("sequence")),
    skipBelow: v.optional(v.pipe(v.number(), v.finite(), v.minValue(0))),
  })),
});
const layer2 = v.strictObject({
  drop: v.optional(list(v.picklist(["attention", "cross", "ffn"]), 3)),
  spec: patch,
  slots: slots(sources),
  expertOf,
  router: v.optional(
    v.strictObject({ ...rows, spec: patch,
      mix: v.optional(v.pipe(list(numbers, planLimits.experts), v.minLength(1))) }),
  ),
});

const term = v.union([v.strictObject({ value: number }), v.strictObject({ normal: number }),
  v.strictObject({ weight: v.optional(number), model: v.optional(name), name: v.optional(name) })]);
const fit = v.strictObject({ by: name, statistic: v.optional(name), options: v.optional(v.record(name, v.unknown())) });
// what a format may be says its codec
const format = v.looseObject({ kind: name });
const weight = v.pipe(
  v.strictObject({ from: v.optional(v.pipe(list(term, planLimits.experts), v.minLength(1))),
    form: v.optional(matrixForm), format: v.optional(format), fit: v.optional(fit) }),
  v.check((weight) => Object.keys(weight).length > 0, "from, form, format or fit says what becomes of a weight"),
);
const common = { for: name, method: name, paper: v.optional(name), options: v.record(name, v.unknown()) };
const layers = <T extends v.GenericSchema>(layer: T) =>
  v.pipe(v.record(name, layer), v.check((layers) =>
    Object.keys(layers).length <= planLimits.layers, `at most ${planLimits.layers} layers are accepted`));

// of another version it is said that either is accepted
const plan1 = v.strictObject({ version: v.picklist([1, 2]), ...common, layers: layers(layer1) });
const plan2 = v.strictObject({ version: v.literal(2), ...common, layers: layers(layer2),
  sources: v.optional(v.record(name, name)),
  units: v.optional(v.record(name, v.strictObject({ keep: neurons, fit: v.optional(fit) }))),
  weights: v.optional(v.record(name, weight)) });

/**
 * Reads a plan from outside (parsed JSON): its shape and sizes, nothing about a model.
 *
 * @throws MoeError `bad-plan` that says where
 */
export function parsePlan(json: unknown): Plan {
  const second = (json as { version?: unknown } | null)?.version === 2;
  return parsed(second ? plan2 : plan1, json,
    (why) => new MoeError("bad-plan", `plan: ${why} Correct it, or let a method make the plan again.`)) as Plan;
}

/**
 * Checks that a plan can be applied to a model of this architecture: layers exist, maps have the right length,
 * every index points at something, permutations permute, and the router keeps enough outputs.
 *
 * @returns the plan, parsed
 * @throws MoeError `bad-plan`
 */
export function checkPlan(json: unknown, spec: ModelSpec, sources: Record<SourceName, ModelSpec> = {}): Plan {
  const parsed = parsePlan(json);
  const layers = layersOf(spec);
  for (const [id, change] of Object.entries(parsed.layers)) {
    const layer = layers.get(id);
    if (!layer) throw bad(`it names ${id}, which the model does not have. ${suggest(id, [...layers.keys()])}`);
    checkLayer(id, change, layer, patchedLayer(id, layer, change));
  }
  lower(spec, parsed, sources);
  return parsed;
}

function layersOf(spec: ModelSpec): Map<LayerId, LayerSpec> {
  const found = new Map<LayerId, LayerSpec>();
  for (const stack of ["encoder", "decoder"] as const)
    spec[stack]?.layers.forEach((layer, index) => found.set(layerId(stack, index), layer));
  return found;
}

function checkLayer(id: LayerId, change: LayerPlan, before: LayerSpec, layer: LayerSpec): void {
  if ((change.slots || change.expertOf || change.router) && droppedBlocks(change).includes("ffn")) {
    throw bad(`${id} is dropped and changed at once`);
  }
  if (!change.slots && !change.expertOf && !change.router) return;
  if (layer.ffn?.kind !== "moe") throw bad(`${id} has no experts to change`);
  checkSlots(id, change, layer.ffn, before.ffn?.kind === "moe" ? before.ffn : undefined);
  checkRouter(id, change, layer.ffn);
  if (change.router?.merge ?? change.router?.spec?.merge) checkSequenceMerge(id, change, layer);
}

/** A sequence's expert is made from all of its tokens, so no token may be kept from seeing the later ones. */
function checkSequenceMerge(id: string, { slots }: LayerPlan, { attention, ffn }: LayerSpec): void {
  if (attention && !(attention.kind === "softmax" && !attention.causal))
    throw new MoeError("sees-later-tokens",
      `plan: ${id} merges experts for each sequence, but its tokens may not see later ones; accepted is a `
        + `layer without a causal mask. Use { level: "task" }, or exclude the layer.`);
  const stored = (ffn as MoeFfnSpec).slots;
  if (!slots && new Set(stored.map(kindOf)).size > 1)
    throw bad(`${id} merges experts of unequal form or width`);
}

function kindOf(slot: ExpertSpec): string {
  const forms = isFree(slot) ? [] : Object.entries(slot.maps ?? {}).map(([matrix, { form }]) => `${matrix} ${form}`);
  return [slot.form, slot.width, ...forms].join();
}

function checkSlots(id: LayerId, { slots, expertOf, router }: LayerPlan, ffn: MoeFfnSpec, before?: MoeFfnSpec): void {
  const count = slots?.length ?? ffn.slots.length;
  const outputs = router?.mix?.length ?? ffn.experts;
  if (expertOf && expertOf.length !== outputs && expertOf.length !== router?.rows?.length)
    throw bad(`${id}.expertOf has ${expertOf.length} entries, the router has ${outputs} outputs`);
  const map = expertOf ?? ffn.expertOf;
  const beyond = map.find((slot) => slot >= count);
  if (beyond !== undefined) throw bad(`${id}.expertOf points at slot ${beyond} of ${count}`);

  slots?.forEach((recipe, index) => {
    const where = `${id}.slots[${index}]`;
    const own = recipe.from.flatMap(({ expert, model }) => (expert === undefined || model ? [] : [{ expert }]));
    if (recipe.zip && own.length < recipe.from.length)
      throw bad(`${where} zips neurons of what is no expert of the model`);
    const widths = own.map(({ expert }) => {
      const slot = before && expert < before.experts ? before.slots[before.expertOf[expert]] : undefined;
      if (!slot)
        throw bad(
          `${where} reads expert ${expert}; the layer has ${before?.experts ?? 0} router outputs, and those without an `
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
    const unplaced = typeof zip === "object" && own.find(({ expert }) => {
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
  if (router?.mix) return checkMix(id, { router, expertOf }, ffn);
  const rows = router?.rows ?? Array.from({ length: ffn.experts }, (_, row) => row);
  const beyond = [...rows, ...(router?.mask ?? [])].find((row) => row >= ffn.experts);
  if (beyond !== undefined) throw bad(`${id}.router names output ${beyond} of ${ffn.experts}`);
  const masked = new Set([...(ffn.router.masked ?? []), ...(router?.mask ?? [])]);
  const open = rows.filter((row) => !masked.has(row)).length;
  const topK = router?.spec?.topK ?? router?.topK ?? ffn.router.topK;
  if (open < topK) throw bad(`${id}: ${open} router outputs stay open, a token takes ${topK}`);
  if (expertOf && expertOf.every((slot) => slot < 0)) throw bad(`${id}.expertOf leads nowhere`);
}

/** New outputs of a router, each of all that it has. */
function checkMix(id: LayerId, { router, expertOf }: LayerPlan, { experts, router: before }: MoeFfnSpec): void {
  const { mix = [], rows, mask, spec } = router ?? {};
  if (before.mix || before.masked?.length || before.choiceBias || rows || mask)
    throw bad(`${id}.router.mix is beside rows, a mask, a bias of the choice or another mix`);
  const row = mix.find(({ length }) => length !== experts);
  if (row) throw bad(`a row of ${id}.router.mix has ${row.length} entries, the router has ${experts} outputs`);
  const topK = spec?.topK ?? before.topK;
  if (mix.length < topK) throw bad(`${id}.router.mix gives ${mix.length} outputs, a token takes ${topK}`);
  if (!expertOf) throw bad(`${id}.router.mix says nothing of where its outputs lead: expertOf is missing`);
}

function bad(what: string): MoeError {
  return new MoeError("bad-plan",
    `plan: ${what}; accepted is a plan as \`plan\` makes it for this model. Make it again.`);
}
