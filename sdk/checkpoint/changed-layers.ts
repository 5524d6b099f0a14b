import * as v from "valibot";
import { FormatError } from "../errors.js";
import { type LayerId, layerId, type LayerSpec, type ModelSpec, type MoeFfnSpec } from "../model/spec.js";
import { parsed } from "../parsed.js";

/**
 * How a model that moelab changed differs from what its Hugging Face configuration says: stored under `moelab` in
 * config.json, so that the folder opens again as it was. Slot numbers stand for expert numbers in tensor names.
 */
export interface Changes {
  version: 1;
  layers: Record<LayerId,
    Partial<Pick<MoeFfnSpec, "slots" | "expertOf">> & { masked?: number[]; maskBy?: "released-product";
      merge?: "sequence"; topK?: number; skipBelow?: number; combine?: boolean; dropped?: Block[] }>;
}

const BLOCKS = ["attention", "cross", "ffn"] as const;
type Block = (typeof BLOCKS)[number];

const Whole = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000_000));
const Slot = v.variant("form", [v.strictObject({ form: v.literal("dense"), width: Whole }),
  v.strictObject({ form: v.literal("zero"), width: Whole }),
  v.strictObject({ form: v.literal("low-rank-sparse"), width: Whole, rank: Whole,
    rows: v.record(v.string(), Whole) })]);
const Schema = v.strictObject({
  version: v.literal(1),
  layers: v.record(v.pipe(v.string(), v.regex(/^(encoder\.)?layers\.\d{1,5}$/)), v.strictObject({
    slots: v.optional(v.pipe(v.array(Slot), v.maxLength(1_000_000))),
    expertOf: v.optional(
      v.pipe(v.array(v.pipe(v.number(), v.integer(), v.minValue(-1))), v.minLength(1), v.maxLength(1_000_000)),
    ),
    masked: v.optional(v.array(Whole)),
    maskBy: v.optional(v.literal("released-product")),
    merge: v.optional(v.literal("sequence")),
    topK: v.optional(v.pipe(Whole, v.minValue(1))),
    skipBelow: v.optional(v.pipe(v.number(), v.finite())),
    combine: v.optional(v.boolean()),
    dropped: v.optional(v.array(v.picklist(BLOCKS))),
  })),
});

/** What `changed` has that `base` has not; undefined when they are equal. */
export function changesOf(changed: ModelSpec, base: ModelSpec): Changes | undefined {
  const layers: Changes["layers"] = {};
  const before = new Map(allLayers(base));
  for (const [id, layer] of allLayers(changed)) {
    const old = before.get(id)!;
    const dropped = BLOCKS.filter((block) => old[block] && !layer[block]);
    const moe =
      layer.ffn?.kind === "moe" && old.ffn?.kind === "moe"
        && JSON.stringify(pick(layer.ffn)) !== JSON.stringify(pick(old.ffn))
        ? pick(layer.ffn)
        : {};
    if (dropped.length || Object.keys(moe).length) layers[id] = { ...moe, ...(dropped.length ? { dropped } : {}) };
  }
  return Object.keys(layers).length ? { version: 1, layers } : undefined;
}

function pick({ slots, expertOf, router }: MoeFfnSpec): Changes["layers"][string] {
  const { masked, maskBy, merge, topK, skipBelow, combine } = router;
  return { slots, expertOf, ...(masked?.length ? { masked } : {}), ...(maskBy && { maskBy }), ...(merge && { merge }),
    topK, ...(skipBelow === undefined ? {} : { skipBelow }), ...(combine === undefined ? {} : { combine }) };
}

function* allLayers(spec: ModelSpec): Iterable<[LayerId, LayerSpec]> {
  for (const stack of ["encoder", "decoder"] as const)
    for (const [index, layer] of (spec[stack]?.layers ?? []).entries()) yield [layerId(stack, index), layer];
}

/** Puts stored changes onto the spec of a configuration. @throws FormatError `bad-changes` */
export function withChanges(base: ModelSpec, stored: unknown): ModelSpec {
  const { layers } = parsed(Schema, stored,
    (why) => new FormatError("bad-changes", `load: in config.json's "moelab" entry ${why} Save the model again.`));
  const spec = structuredClone(base);
  const byId = new Map(allLayers(spec));
  for (const [id, { dropped, slots, expertOf, ...router }] of Object.entries(layers)) {
    const layer = byId.get(id);
    if (!layer) throw bad(id, "is no layer of this configuration");
    for (const block of dropped ?? []) delete layer[block];
    if (!slots && !expertOf) continue;
    if (layer.ffn?.kind !== "moe") throw bad(id, "is no MoE layer of this configuration");
    if (!slots || !expertOf) throw bad(id, "names experts without their router outputs, or the other way round");
    const beyond = expertOf.find((slot) => slot >= slots.length);
    if (beyond !== undefined) throw bad(id, `points at expert ${beyond} of ${slots.length}`);
    const masked = router.masked?.find((output) => output >= expertOf.length);
    if (masked !== undefined) throw bad(id, `masks router output ${masked} of ${expertOf.length}`);
    if ((router.topK ?? layer.ffn.router.topK) > expertOf.length)
      throw bad(id, `chooses ${router.topK ?? layer.ffn.router.topK} of ${expertOf.length} router outputs`);
    Object.assign(layer.ffn, { experts: expertOf.length, expertOf, slots });
    Object.assign(layer.ffn.router, router);
  }
  inheritRelativeBias(base, spec);
  return spec;
}

/** T5's bias table belongs to the first attention of a stack: when that one is dropped, to the first that is left. */
function inheritRelativeBias(base: ModelSpec, spec: ModelSpec): void {
  for (const stack of ["encoder", "decoder"] as const) {
    const relative = (layer: LayerSpec) => (layer.attention?.kind === "softmax" ? layer.attention.relative : undefined);
    const heir = spec[stack]?.layers.map(relative).find((one) => one !== undefined);
    if (heir && base[stack]!.layers.some((layer) => relative(layer)?.own)) heir.own = true;
  }
}

function bad(id: string, what: string): FormatError {
  return new FormatError("bad-changes",
    `load: "${id}" in config.json's "moelab" entry ${what}; accepted is what moelab's save writes. Save `
      + "the model again.");
}
