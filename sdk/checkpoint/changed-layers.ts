import * as v from "valibot";
import { FormatError } from "../errors.js";
import { moeLayers, type LayerId, type MoeFfnSpec, type ModelSpec } from "../model/spec.js";

/**
 * How a model that moelab changed differs from what its Hugging Face configuration says: stored under `moelab` in
 * config.json, so that the folder opens again as it was. Slot numbers stand for expert numbers in tensor names.
 */
export interface Changes {
  version: 1;
  layers: Record<LayerId, Pick<MoeFfnSpec, "slots" | "expertOf"> & { masked?: number[]; topK?: number }>;
}

const Whole = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000_000));
const Slot = v.variant("form", [
  v.strictObject({ form: v.literal("dense"), width: Whole }),
  v.strictObject({ form: v.literal("zero"), width: Whole }),
  v.strictObject({ form: v.literal("low-rank-sparse"), width: Whole, rank: Whole, rows: v.record(v.string(), Whole) }),
]);
const Schema = v.strictObject({
  version: v.literal(1),
  layers: v.record(v.pipe(v.string(), v.regex(/^(encoder\.)?layers\.\d{1,5}$/)), v.strictObject({
    slots: v.pipe(v.array(Slot), v.maxLength(1_000_000)),
    expertOf: v.pipe(v.array(v.pipe(v.number(), v.integer(), v.minValue(-1))), v.maxLength(1_000_000)),
    masked: v.optional(v.array(Whole)),
    topK: v.optional(v.pipe(Whole, v.minValue(1))),
  })),
});

/** What `changed` has that `base` has not; undefined when the MoE layers are equal. */
export function changesOf(changed: ModelSpec, base: ModelSpec): Changes | undefined {
  const before = new Map(moeLayers(base).map(({ id, ffn }) => [id, pick(ffn)]));
  const layers = Object.fromEntries(moeLayers(changed).map(({ id, ffn }) => [id, pick(ffn)] as const)
    .filter(([id, ffn]) => JSON.stringify(ffn) !== JSON.stringify(before.get(id))));
  return Object.keys(layers).length ? { version: 1, layers } : undefined;
}

function pick({ slots, expertOf, router }: MoeFfnSpec): Changes["layers"][string] {
  return { slots, expertOf, ...(router.masked?.length ? { masked: router.masked } : {}), topK: router.topK };
}

/** Puts stored changes onto the spec of a configuration. @throws FormatError `bad-changes` */
export function withChanges(base: ModelSpec, stored: unknown): ModelSpec {
  const parsed = v.safeParse(Schema, stored);
  if (!parsed.success) {
    const issue = parsed.issues[0];
    throw new FormatError("bad-changes", `load: config.json's "moelab" entry is wrong at ${v.getDotPath(issue) ?? "its top"}: ${issue.message}; accepted is what moelab's save writes. Save the model again.`);
  }
  const spec = structuredClone(base);
  const byId = new Map(moeLayers(spec).map(({ id, ffn }) => [id, ffn]));
  for (const [id, change] of Object.entries(parsed.output.layers)) {
    const ffn = byId.get(id);
    const fault = !ffn ? "is no MoE layer of this configuration"
      : change.expertOf.length !== ffn.experts ? `maps ${change.expertOf.length} router outputs, config.json has ${ffn.experts}`
      : change.expertOf.some((slot) => slot >= change.slots.length) ? `points beyond its ${change.slots.length} slots`
      : undefined;
    if (fault) throw new FormatError("bad-changes", `load: "${id}" in config.json's "moelab" entry ${fault}. Save the model again.`);
    ffn!.slots = change.slots as MoeFfnSpec["slots"];
    ffn!.expertOf = change.expertOf;
    if (change.masked) ffn!.router.masked = change.masked;
    if (change.topK) ffn!.router.topK = change.topK;
  }
  return spec;
}
