import { MoeError } from "../errors.js";
import { expertTensors } from "../model/expected-tensors.js";
import { expertShape } from "../model/form/formed-matrices.js";
import { formTensors } from "../model/form/forms.js";
import { type Patch, patched } from "../model/patch.js";
import type { RouterSpec } from "../model/router-spec.js";
import { type ExpertSpec, isFree, latentWidth, type LayerId, type LayerSpec, type MoeFfnSpec } from "../model/spec.js";
import type { RowBudget } from "./kept-rows.js";
import type { LayerPlan, RouterPlan, SlotRecipe, SlotSource, SourceName } from "./plan.js";
import type { Axes, Made, Matched, Recipe, Same, WeightName } from "./recipe.js";
import { factorsOf, isFactored } from "./slot-form.js";

/** Neurons lie along the rows of up, gate and their biases, along the columns of down; the bias of down has none. */
const NEURONS: Axes = { up: 0, down: 1, gate: 0, "up.bias": 0, "gate.bias": 0 };

/** What the slots of a layer are made from. */
interface Sources {
  /** the layer before it is changed; of another model, its layer of the same place */
  layerOf(model?: SourceName): LayerSpec | undefined;
  /** D */
  width: number;
  budget: RowBudget;
}

/** The experts and the router of a layer after a plan, and what their weights are made from. */
export function lowerExperts(
  id: LayerId,
  ffn: MoeFfnSpec,
  { slots, expertOf, router }: LayerPlan,
  sources: Sources,
): { ffn: MoeFfnSpec; recipes: [WeightName, Made][] } {
  const planned: MoeFfnSpec = { ...ffn, router: { ...ffn.router }, ...(expertOf && { expertOf: [...expertOf] }) };
  const recipes: [WeightName, Made][] = [];
  if (slots) {
    const layer = new LayerSlots(id, ffn, sources);
    planned.slots = slots.map((recipe, index) => {
      const { slot, parts } = layer.lower(recipe, `${id}.experts.${index}`);
      for (const [part, made] of parts) recipes.push([`${id}.experts.${index}.${part}`, made]);
      return slot;
    });
  }
  lowerRouter(planned, router ?? {});
  if (router?.mix) {
    const shape = [router.mix.length, ffn.experts], name = `${id}.router.mix`;
    planned.experts = shape[0];
    planned.router.mix = { inputs: shape[1] };
    recipes.push([name, { of: { make: "fill", name, shape, values: router.mix.flat() }, part: "" }]);
  }
  if (router?.rows) {
    const names = ["router", ...(ffn.router.bias ? ["router.bias"] : []),
      ...(ffn.router.choiceBias ? ["router.choiceBias"] : [])];
    for (const name of names.map((name) => `${id}.${name}`))
      recipes.push([name, {
        of: { make: "take", of: { make: "same", names: { "": name } }, axes: { "": 0 }, at: router.rows },
        part: "",
      }]);
  }
  return { ffn: planned, recipes };
}

function lowerRouter(ffn: MoeFfnSpec, { mask, rows, mix: _, spec = {}, ...version1 }: RouterPlan): void {
  ffn.router = patched<RouterSpec>(ffn.router, { ...version1, ...spec } as Patch<RouterSpec>);
  const masked = [...new Set([...(ffn.router.masked ?? []), ...(mask ?? [])])].sort((a, b) => a - b);
  if (mask) ffn.router.masked = masked;
  if (!rows) return;
  // a map of another length than the router had speaks of the new outputs
  if (ffn.expertOf.length === ffn.experts) ffn.expertOf = rows.map((row) => ffn.expertOf[row]);
  ffn.experts = rows.length;
  const left = rows.flatMap((row, output) => (masked.includes(row) ? [output] : []));
  if (left.length > 0) ffn.router.masked = left;
  else delete ffn.router.masked;
}

/** The slots of one layer; what several of them refer to is one object. */
class LayerSlots {
  /** experts that others are aligned to, and those that are put in their order */
  private readonly references = new Map<string, Recipe>();
  private readonly orders = new Map<string, Matched>();

  constructor(private readonly id: LayerId, private readonly ffn: MoeFfnSpec, private readonly sources: Sources) {}

  lower(recipe: SlotRecipe, name: WeightName): { slot: ExpertSpec; parts: [string, Made][] } {
    const { ffn, sources: { width, budget } } = this;
    const D = latentWidth(ffn, width);
    const [first] = recipe.from;
    const slot = this.stored(first);
    const { align, form } = recipe;
    if (form?.form === "zero" || form?.form === "copy")
      return { slot: { form: form.form, width: slot.width }, parts: [] };
    if (form?.form === "constant") {
      if (form.value.length !== D)
        throw bad(`${name} is a constant of ${form.value.length} numbers in a model of width ${D}`);
      const of: Recipe = { make: "fill", name: `${name}.value`, shape: [D], values: form.value };
      return { slot: { form: "constant", width: slot.width }, parts: [["value", { of, part: "" }]] };
    }
    const other = recipe.from.find((source) => this.stored(source).width !== slot.width);
    if (other)
      throw bad(
        `${this.id} makes an expert from ${nameOf(first)} of width ${slot.width} and ${nameOf(other)} of width `
          + `${this.stored(other).width}`,
      );
    const alone = recipe.from.length === 1 && first.weight === 1 && !recipe.elementwise && !recipe.zip
      && (!align || this.key(this.reference(recipe)) === this.key(first));
    if (alone && (!align || isPlain(slot)) && (!form || form.form === "dense" && isPlain(slot))) {
      // others may be brought into the order of this one, and then it is read for them as well
      const aligned = align && !align.permutations && align.to === "first";
      return { slot: structuredClone(slot),
        parts: this.suffixes(slot).map(
          (part): [string, Made] => [part, { of: aligned ? this.fixed(first) : this.source(first, undefined, [part]),
            part }]
        ) };
    }
    const dense: ExpertSpec = { form: "dense", width: slot.width };
    const made = alone && !align?.permutations?.[first.expert ?? -1] ? undefined : this.made(recipe);
    const parts = this.suffixes(dense).map(
      (part): [string, Made] => [part, { of: made ?? this.source(first, undefined, [part]), part }]
    );
    if (!isFactored(form)) return { slot: dense, parts };
    // what rounding takes from one matrix is given to the next, in this order
    const wants = Object.fromEntries(
      (ffn.gated ? ["up", "gate", "down"] : ["up", "down"]).map(
        (matrix) => [matrix, factorsOf(form, matrix, expertShape(matrix, slot.width, D), budget)]
      ),
    );
    const factored = parts.flatMap(([part, made]): [string, Made][] => {
      if (part.endsWith(".bias")) return [[part, made]];
      const shape = expertShape(part, slot.width, D);
      const of: Recipe = { make: "fit", ...made, by: "svd", want: wants[part] };
      return formTensors(wants[part].form, shape).map(({ name }) => [part + name, { of, part: part + name }]);
    });
    const maps = Object.fromEntries(Object.entries(wants).map(([matrix, { form }]) => [matrix, form]));
    return { slot: { ...dense, maps }, parts: factored };
  }

  private made(recipe: SlotRecipe): Recipe {
    const { from, zip, elementwise } = recipe;
    if (!zip) {
      return { make: "sum",
        terms: from.map((source) => ({ of: this.placed(recipe, source), weight: source.weight,
          ...(elementwise && { by: this.placed(recipe, source, elementwise) }) })
        ) };
    }
    const byWeights = from.map((_, source) => source).sort((a, b) => from[a].expert! - from[b].expert!);
    return { make: "combine", by: "zip", of: from.map((source) => this.source(source)), axes: NEURONS,
      weights: from.map(({ weight }) => weight), byMean: recipe.zipBy === "mean" || zip === "weights",
      places: zip === "weights" ? { byWeights } : from.map(({ expert }) => zip[expert!]) };
  }

  /** A source in the order of neurons that the recipe gives it. @param tensors what counts beside its weights */
  private placed({ from, align }: SlotRecipe, source: SlotSource, tensors?: string): Recipe {
    const own = () => this.source(source, tensors);
    if (!align) return own();
    if (align.permutations) {
      const at = source.model ? undefined : align.permutations[source.expert ?? -1];
      return at ? { make: "take", of: own(), axes: NEURONS, at } : own();
    }
    const reference = this.reference({ from, align });
    if (this.key(reference) === this.key(source)) return tensors ? own() : this.fixed(source);
    const key = `${this.key(reference)} ${this.key(source)}`;
    let matched = this.orders.get(key);
    if (!matched) {
      matched = { make: "matched", of: this.source(source), to: this.fixed(reference), axes: NEURONS };
      this.orders.set(key, matched);
    }
    return tensors ? { make: "take", of: own(), axes: NEURONS, at: matched } : matched;
  }

  /** The source whose order of neurons those of a recipe are brought into. */
  private reference({ align, from }: Pick<SlotRecipe, "align" | "from">): SlotSource {
    const [leader] = from;
    if (align!.to === "first") return { expert: this.experts().expertOf.findIndex((slot) => slot >= 0), weight: 1 };
    const own = align!.to === "leader" ? [] : from.filter(({ expert, model }) => expert !== undefined && !model);
    return own.reduce((lowest, source) => (source.expert! < lowest.expert! ? source : lowest), own[0] ?? leader);
  }

  private fixed(source: SlotSource): Recipe {
    const key = this.key(source);
    let fixed = this.references.get(key);
    if (!fixed) this.references.set(key, fixed = this.source(source));
    return fixed;
  }

  /** All tensors of a source or some, its matrices whole. */
  private source(source: SlotSource, tensors?: string, only?: string[]): Recipe {
    const { model, neurons } = source;
    const suffixes = only ?? this.suffixes({ form: "dense", width: this.stored(source).width });
    const path = source.block ?? `experts.${this.slotOf(source)}`;
    const names = Object.fromEntries(suffixes.map((part) => [part, `${this.id}.${path}.${part}`]));
    const forms = this.forms(source, suffixes);
    const same: Recipe = { make: "same", names, ...(forms && { forms }), ...(tensors && { tensors }),
      ...(model && { model }) };
    if (!neurons) return same;
    const [start, end] = neurons;
    return { make: "take", of: same, axes: NEURONS, at: Array.from({ length: end - start }, (_, at) => start + at) };
  }

  /** Of the matrices that are read whole and stored in a form. */
  private forms(source: SlotSource, suffixes: readonly string[]): Same["forms"] {
    const stored = this.stored(source);
    if (isFree(stored) || !stored.maps) return undefined;
    const formed = Object.entries(stored.maps).filter(([part]) => suffixes.includes(part)).map(([part, form]) =>
      [part, { form,
        shape: expertShape(part, stored.width, latentWidth(this.experts(source.model), this.sources.width)) }] as const
    );
    return formed.length > 0 ? Object.fromEntries(formed) : undefined;
  }

  /** How a source is stored. */
  private stored(source: SlotSource): ExpertSpec {
    if (source.expert !== undefined) return this.experts(source.model).slots[this.slotOf(source)];
    const ffn = this.sources.layerOf(source.model)?.ffn;
    const block = source.block === "shared" ? ffn?.kind === "moe" && ffn.shared : ffn?.kind === "dense" && ffn;
    if (!block) throw bad(`${this.id} reads ${nameOf(source)}, which is no dense block there`);
    if (block.gated !== this.ffn.gated || block.bias !== this.ffn.bias)
      throw bad(`${this.id} reads ${nameOf(source)}, which has other matrices or biases than its experts`);
    const [start, end] = source.neurons ?? [0, block.width];
    if (!(start < end && end <= block.width))
      throw bad(`${this.id} reads neurons ${start} to ${end} of ${nameOf(source)}, which has ${block.width}`);
    return { form: "dense", width: end - start };
  }

  private slotOf({ expert, model }: SlotSource): number {
    const { expertOf, slots } = this.experts(model);
    const slot = expertOf[expert!];
    if (!slots[slot]) throw bad(`${this.id} reads router output ${expert}, which has no stored expert`);
    return slot;
  }

  private experts(model?: SourceName): MoeFfnSpec {
    const ffn = this.sources.layerOf(model)?.ffn;
    if (ffn?.kind === "moe") return ffn;
    throw bad(`${this.id} reads experts of ${model ? `the model "${model}"` : "a layer"} that has none there`);
  }

  /** The same for what is the same. */
  private key(source: SlotSource): string {
    const { model = "", block, neurons = [] } = source;
    return JSON.stringify([model, block ?? this.slotOf(source), ...neurons]);
  }

  private suffixes(slot: ExpertSpec): string[] {
    return expertTensors("", slot, this.ffn, this.sources.width).map(({ name }) => name.slice(1));
  }
}

function isPlain(slot: ExpertSpec): boolean {
  return !isFree(slot) && !slot.maps;
}

function nameOf({ expert, block, model }: SlotSource): string {
  return `${block ?? `expert ${expert}`}${model ? ` of the model "${model}"` : ""}`;
}

function bad(what: string): MoeError {
  return new MoeError("bad-plan", `plan: ${what}; accepted are experts and dense blocks of equal shape. Correct it.`);
}
