import fc from "fast-check";
import { layerId, type LayerSpec, type ModelSpec, type MoeFfnSpec } from "../../sdk/model/spec.js";
import { units } from "../../sdk/model/units.js";
import type { LayerPlan, Plan, RouterPlan, SlotRecipe, WeightPlan } from "../../sdk/plan/plan.js";

type Random<T> = fc.Arbitrary<T>;

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);
const order = (count: number, least = count): Random<number[]> =>
  fc.shuffledSubarray(numbers(count), { minLength: least, maxLength: count });
const weight = fc.integer({ min: -8, max: 16 }).map((eighths) => eighths / 8);

/** Layers of any valid plan for this architecture: every field of `Plan` but `elementwise`, which names tensors from outside. */
export function randomLayers(spec: ModelSpec): Random<Partial<Plan["layers"]>> {
  const layers = (["encoder", "decoder"] as const).flatMap((stack) =>
    (spec[stack]?.layers ?? []).map((layer, index) => [layerId(stack, index), randomLayer(layer, spec.width)] as const)
  );
  return fc.record<Plan["layers"]>(Object.fromEntries(layers), { requiredKeys: [], noNullPrototype: true });
}

function randomLayer(layer: LayerSpec, D: number): Random<LayerPlan> {
  const dropped: Random<LayerPlan> = fc.record({ drop: fc.constantFrom("layer", "ffn", "attention") });
  const { ffn } = layer;
  if (ffn?.kind !== "moe") return dropped;
  const readable = numbers(ffn.experts).filter((expert) => ffn.slots[ffn.expertOf[expert]]);
  const width = ffn.slots[ffn.expertOf[readable[0]]].width;
  const causal = layer.attention && !(layer.attention.kind === "softmax" && !layer.attention.causal);
  const changed = fc.option(fc.array(randomRecipe(readable, width, D), { minLength: 1, maxLength: ffn.experts }), {
    nil: undefined,
  }).chain((slots) =>
    fc.record({
      ...(slots && { slots: fc.constant(slots) }),
      expertOf: randomMap(ffn.experts, slots?.length ?? ffn.slots.length),
      router: randomRouter(ffn, !causal),
      drop: fc.constant("attention" as const),
    }, { requiredKeys: slots ? ["slots", "expertOf"] : [] })
  );
  return fc.oneof({ weight: 1, arbitrary: dropped }, { weight: 4, arbitrary: changed });
}

/** output to slot, some without one, but not all */
const randomMap = (experts: number, slots: number): Random<number[]> =>
  fc.array(fc.integer({ min: -1, max: slots - 1 }), { minLength: experts, maxLength: experts }).map((map) =>
    map.some((slot) => slot >= 0) ? map : [0, ...map.slice(1)]
  );

function randomRecipe(readable: number[], width: number, D: number): Random<SlotRecipe> {
  const from = fc.uniqueArray(fc.record({ expert: fc.constantFrom(...readable), weight }), { minLength: 1, maxLength: 3,
    selector: ({ expert }) => expert });
  const form = fc.oneof(fc.constant({ form: "dense" as const }),
    fc.record({ form: fc.constant("low-rank-sparse" as const), rank: fc.integer({ min: 1, max: 3 }),
      keep: fc.constantFrom(0, 0.25, 1) }), fc.record({ form: fc.constantFrom("zero" as const, "copy" as const) }),
    fc.record({ form: fc.constant("constant" as const), value: fc.array(weight, { minLength: D, maxLength: D }) }));
  return from.chain((sources) => {
    const each = <T>(one: Random<T>) =>
      fc.tuple(...sources.map(() => one)).map((all) =>
        Object.fromEntries(sources.map(({ expert }, at) => [expert, all[at]]))
      );
    const place = fc.array(fc.integer({ min: 0, max: width - 1 }), { minLength: width, maxLength: width });
    const aligned = fc.record({
      align: fc.record({ by: fc.constantFrom("weights" as const, "activations" as const),
        to: fc.constantFrom("first" as const, "leader" as const, "lowest" as const), permutations: each(order(width)) },
        { requiredKeys: ["by", "to"] }).map((align) =>
          align.permutations ? align : { ...align, by: "weights" as const }
        ),
    });
    const zipped = fc.record({ zip: fc.oneof(fc.constant("weights" as const), each(place)),
      zipBy: fc.constant("mean" as const) }, { requiredKeys: ["zip"] });
    return fc.tuple(fc.oneof(fc.constant({}), aligned, zipped), fc.option(form, { nil: undefined })).map(
      ([how, form]): SlotRecipe => ({
        // a mean of neurons has no negative weights
        from: "zip" in how ? sources.map(({ expert, weight }) => ({ expert, weight: Math.abs(weight) })) : sources,
        ...how,
        ...(form && { form }),
      })
    );
  });
}

function randomRouter({ experts: E, router: { masked = [] } }: MoeFfnSpec, sees: boolean): Random<RouterPlan> {
  const open = numbers(E).filter((output) => !masked.includes(output));
  // at least one output stays open, and no token takes more than are
  return fc.tuple(order(E, 1), fc.shuffledSubarray(open, { minLength: 1 })).chain(([rows, kept]) => {
    const stay = rows.filter((row) => kept.includes(row));
    const [chosen, closed] = stay.length > 0
      ? [rows, numbers(E).filter((output) => !kept.includes(output))]
      : [[...rows, kept[0]], numbers(E).filter((output) => !kept.includes(output))];
    return fc.record({
      topK: fc.integer({ min: 1, max: Math.max(1, stay.length) }),
      mask: fc.constant(closed),
      rows: fc.constant(chosen),
      maskBy: fc.constant("released-product" as const),
      skipBelow: fc.constantFrom(0, 0.3, 1),
      combine: fc.boolean(),
      ...(sees && { merge: fc.constant("sequence" as const) }),
    }, { requiredKeys: ["topK"] });
  });
}

/** What version 2 says beside layers: units of which some stay, and weights that are added up, put into forms, packed. */
export function randomRest(spec: ModelSpec, fused: boolean): Random<Pick<Plan, "units" | "weights">> {
  // experts of a layer that a family stores in one tensor have no place in its files yet when their widths differ
  const table = units(spec).filter(({ name }) => !fused || !name.includes(".experts."));
  const cut = fc.uniqueArray(fc.constantFrom(...table), { maxLength: 2, selector: ({ name }) => name }).chain(
    (chosen) =>
      fc.tuple(...chosen.map(({ name, count }) => order(count, 1).map((keep) => [name, { keep }] as const))).map(
        (all) => Object.fromEntries(all)
      )
  );
  const attention = (["encoder", "decoder"] as const).flatMap((stack) =>
    (spec[stack]?.layers ?? []).flatMap((
      layer,
      index,
    ) => (layer.attention ? [`${layerId(stack, index)}.attention.`] : []))
  );
  const said: Random<WeightPlan> = fc.oneof(
    fc.constant<WeightPlan>({ format: { kind: "grouped", bits: 8, group: 0, zero: "none", scales: "F32" } }),
    fc.constantFrom<"in" | "out">("in", "out").map((side): WeightPlan => ({ form: { form: "scaled", side } })),
    weight.map((weight): WeightPlan => ({ from: [{ weight: 1 }, { weight }] })),
    fc.integer({ min: 1, max: 3 }).map((rank): WeightPlan => ({ form: { form: "low-rank-sparse", rank, rows: 0 },
      fit: { by: "svd" } })
    ),
  );
  const weights = fc.dictionary(fc.constantFrom(...attention), said, { maxKeys: 2, noNullPrototype: true });
  return fc.record({ units: cut, weights }, { requiredKeys: [], noNullPrototype: true });
}
