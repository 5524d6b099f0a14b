import { MoeError } from "../errors.js";
import { expertTensors } from "../model/expected-tensors.js";
import type { ExpertSpec, LayerId, MoeFfnSpec } from "../model/spec.js";
import type { RowBudget } from "./kept-rows.js";
import type { LayerPlan, RouterPlan, SlotRecipe } from "./plan.js";
import type { Axes, Made, Matched, Recipe, Same, WeightName } from "./recipe.js";

/** Neurons lie along the rows of up, gate and their biases, along the columns of down; the bias of down has none. */
const NEURONS: Axes = { up: 0, down: 1, gate: 0, "up.bias": 0, "gate.bias": 0 };

/** The experts and the router of a layer after a plan, and what their weights are made from. */
export function lowerExperts(
  id: LayerId,
  ffn: MoeFfnSpec,
  { slots, expertOf, router }: LayerPlan,
  width: number,
  budget: RowBudget,
): { ffn: MoeFfnSpec; recipes: [WeightName, Made][] } {
  const planned: MoeFfnSpec = { ...ffn, router: { ...ffn.router }, ...(expertOf && { expertOf: [...expertOf] }) };
  const recipes: [WeightName, Made][] = [];
  if (slots) {
    const layer = new LayerSlots(id, ffn, width, budget);
    planned.slots = slots.map((recipe, index) => {
      const { slot, parts } = layer.lower(recipe);
      for (const [part, made] of parts) recipes.push([`${id}.experts.${index}.${part}`, made]);
      return slot;
    });
  }
  lowerRouter(planned, router ?? {});
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

function lowerRouter(ffn: MoeFfnSpec, { mask, rows, ...settings }: RouterPlan): void {
  const masked = [...new Set([...(ffn.router.masked ?? []), ...(mask ?? [])])].sort((a, b) => a - b);
  if (mask) ffn.router.masked = masked;
  Object.assign(ffn.router, settings);
  if (!rows) return;
  ffn.experts = rows.length;
  ffn.expertOf = rows.map((row) => ffn.expertOf[row]);
  const left = masked.map((row) => rows.indexOf(row)).filter((row) => row >= 0);
  if (left.length > 0) ffn.router.masked = left.sort((a, b) => a - b);
  else delete ffn.router.masked;
}

/** The slots of one layer; what several of them refer to is one object. */
class LayerSlots {
  /** experts that others are aligned to, and those that are put in their order */
  private readonly references = new Map<number, Same>();
  private readonly orders = new Map<string, Matched>();

  constructor(
    private readonly id: LayerId,
    private readonly ffn: MoeFfnSpec,
    private readonly width: number,
    private readonly budget: RowBudget,
  ) {}

  lower(recipe: SlotRecipe): { slot: ExpertSpec; parts: [string, Made][] } {
    const { ffn } = this;
    const [{ expert, weight }] = recipe.from;
    const first = this.stored(expert);
    const slot = ffn.slots[first];
    const { align, form } = recipe;
    const alone = recipe.from.length === 1 && weight === 1 && !recipe.elementwise && !recipe.zip
      && (!align || this.reference(recipe) === first);
    if (alone && (!align || slot.form === "dense") && (!form || form.form === slot.form && form.form === "dense")) {
      // others may be brought into the order of this one, and then it is read for them as well
      const aligned = align && !align.permutations && align.to === "first";
      return { slot: structuredClone(slot),
        parts: this.suffixes(slot).map(
          (part): [string, Made] => [part, aligned ? { of: this.fixed(first), part } : this.single(first, part)]
        ) };
    }
    const dense: ExpertSpec = { form: "dense", width: slot.width };
    const made = alone && !align?.permutations?.[expert] ? undefined : this.made(recipe);
    const parts = this.suffixes(dense).map(
      (part): [string, Made] => [part, made ? { of: made, part } : this.single(first, part)]
    );
    if (form?.form !== "low-rank-sparse") return { slot: dense, parts };
    const rows: Record<string, number> = {};
    for (const matrix of ffn.gated ? ["up", "gate", "down"] : ["up", "down"]) {
      const [out, columns] = matrix === "down" ? [this.width, slot.width] : [slot.width, this.width];
      rows[matrix] = form.rows?.[matrix]?.length ?? this.budget.take(out, columns, form.keep);
    }
    const factored: ExpertSpec = { form: "low-rank-sparse", width: slot.width, rank: form.rank, rows };
    const fitted = new Map(
      parts.filter(([part]) => part in rows).map(
        ([part, made]): [string, Recipe] => [part, { make: "fit", ...made, by: "svd", rank: form.rank,
          kept: form.rows?.[part] ?? rows[part] }]
      ),
    );
    return { slot: factored, parts: this.suffixes(factored).map((part): [string, Made] => {
      const fit = fitted.get(part.split(".")[0]);
      return [part, fit && !part.endsWith(".bias") ? { of: fit, part } : parts.find(([name]) => name === part)![1]];
    }) };
  }

  private made(recipe: SlotRecipe): Recipe {
    const { from, zip, elementwise } = recipe;
    if (!zip) {
      return { make: "sum",
        terms: from.map(({ expert, weight }) => ({ of: this.placed(recipe, expert), weight,
          ...(elementwise && { by: this.placed(recipe, expert, elementwise) }) })
        ) };
    }
    const byWeights = from.map((_, source) => source).sort((a, b) => from[a].expert - from[b].expert);
    return { make: "combine", by: "zip", of: from.map(({ expert }) => this.source(this.stored(expert))), axes: NEURONS,
      weights: from.map(({ weight }) => weight), byMean: recipe.zipBy === "mean" || zip === "weights",
      places: zip === "weights" ? { byWeights } : from.map(({ expert }) => zip[expert]) };
  }

  /** A source in the order of neurons that the recipe gives it. @param tensors what counts beside its weights */
  private placed({ from, align }: SlotRecipe, expert: number, tensors?: string): Recipe {
    const slot = this.stored(expert);
    const source = () => this.source(slot, tensors);
    if (!align) return source();
    if (align.permutations) {
      const at = align.permutations[expert];
      return at ? { make: "take", of: source(), axes: NEURONS, at } : source();
    }
    const reference = this.reference({ from, align });
    if (reference === slot) return tensors ? source() : this.fixed(slot);
    const key = `${reference} ${slot}`;
    let matched = this.orders.get(key);
    if (!matched) {
      matched = { make: "matched", of: this.source(slot), to: this.fixed(reference), axes: NEURONS };
      this.orders.set(key, matched);
    }
    return tensors ? { make: "take", of: source(), axes: NEURONS, at: matched } : matched;
  }

  /** The stored slot whose order of neurons the sources of a recipe are brought into. */
  private reference({ align, from }: Pick<SlotRecipe, "align" | "from">): number {
    if (align!.to === "first") return this.ffn.expertOf.find((slot) => slot >= 0)!;
    return this.stored(align!.to === "leader" ? from[0].expert : Math.min(...from.map(({ expert }) => expert)));
  }

  private fixed(slot: number): Same {
    let same = this.references.get(slot);
    if (!same) this.references.set(slot, same = this.source(slot));
    return same;
  }

  /** All tensors of a stored expert, its matrices whole. */
  private source(slot: number, tensors?: string): Same {
    const { width } = this.ffn.slots[slot];
    const names = this.suffixes({ form: "dense", width }).map((part) => [part, `${this.id}.experts.${slot}.${part}`]);
    return { make: "same", names: Object.fromEntries(names), ...(tensors && { tensors }) };
  }

  private single(slot: number, part: string): Made {
    return { of: { make: "same", names: { [part]: `${this.id}.experts.${slot}.${part}` } }, part };
  }

  private suffixes(slot: ExpertSpec): string[] {
    return expertTensors("", slot, this.ffn, this.width).map(({ name }) => name.slice(1));
  }

  private stored(expert: number): number {
    const slot = this.ffn.expertOf[expert];
    if (!this.ffn.slots[slot])
      throw new MoeError("no-expert", `plan: router output ${expert} has no stored expert. Take it out of the recipe.`);
    return slot;
  }
}
