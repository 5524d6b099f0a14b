import * as v from "valibot";
import { FormatError } from "../errors.js";
import { type Patch, patchBetween, patched } from "../model/patch.js";
import { layerSchema } from "../model/spec-schema.js";
import { type LayerId, layerId, type LayerSpec, type ModelSpec } from "../model/spec.js";
import { parsed } from "../parsed.js";
import type { NumberFormat } from "../tensor/formats/number-format.js";

/**
 * How a model that moelab changed differs from what its Hugging Face configuration says: stored under `moelab` in
 * config.json, so that the folder opens again as it was. Slot numbers stand for expert numbers in tensor names.
 */
export interface StoredChanges {
  version: 2;
  layers: Record<LayerId, Patch<LayerSpec>>;
  /** how packed weights are stored, by their names on disk or beginnings of these; "" for all others */
  formats?: Record<string, NumberFormat>;
}

const Patches = v.record(v.pipe(v.string(), v.regex(/^(encoder\.)?layers\.\d{1,5}$/)), v.looseObject({}));
const Version2 = v.strictObject({ version: v.literal(2), layers: Patches,
  formats: v.optional(v.record(v.string(), v.looseObject({ kind: v.string() }))) });
/** as folders were written before: parts of the MoE block and of its router side by side, and blocks that are gone */
const Version1 = v.strictObject({ version: v.literal(1), layers: Patches });

/** What `changed` has that `base` has not; undefined when they are equal. */
export function changesOf(changed: ModelSpec, base: ModelSpec): StoredChanges | undefined {
  const before = new Map(allLayers(base));
  const layers = Object.fromEntries(allLayers(changed).flatMap(([id, layer]) => {
    const patch = patchBetween(before.get(id)!, layer);
    return patch ? [[id, patch]] : [];
  }));
  return Object.keys(layers).length ? { version: 2, layers } : undefined;
}

function allLayers(spec: ModelSpec): [LayerId, LayerSpec][] {
  return (["encoder", "decoder"] as const).flatMap((stack) =>
    (spec[stack]?.layers ?? []).map((layer, index): [LayerId, LayerSpec] => [layerId(stack, index), layer])
  );
}

/** Puts stored changes onto the spec of a configuration. @throws FormatError `bad-changes` */
export function withChanges(base: ModelSpec, stored: unknown): ModelSpec {
  const old = (stored as { version?: unknown } | null)?.version === 1;
  const { layers } = parsed(old ? Version1 : Version2, stored, (why) => bad(`: ${why}`));
  const spec = structuredClone(base);
  for (const [id, layer] of allLayers(spec)) {
    const change = layers[id] && (old ? patchOf(layers[id]) : layers[id]);
    if (!change) continue;
    delete layers[id];
    const made = parsed(layerSchema, patched(layer, change as Patch<LayerSpec>), (why) => bad(`, ${id}: ${why}`));
    for (const key of Object.keys(layer)) delete layer[key as keyof LayerSpec];
    Object.assign(layer, made);
  }
  const [unknown] = Object.keys(layers);
  if (unknown !== undefined) throw bad(`: ${unknown} is no layer of this configuration.`);
  if (old) inheritRelativeBias(base, spec);
  return spec;
}

/** A layer of version 1 as a patch. */
function patchOf({ dropped = [], slots, expertOf, ...router }: Record<string, unknown>): object {
  const blocks = Object.fromEntries((dropped as string[]).map((block) => [block, null]));
  if (!Array.isArray(expertOf)) return blocks;
  return { ...blocks, ffn: { experts: expertOf.length, expertOf, slots, router } };
}

/** T5's bias table belongs to the first attention of a stack: when that one is dropped, to the first that is left. */
function inheritRelativeBias(base: ModelSpec, spec: ModelSpec): void {
  for (const stack of ["encoder", "decoder"] as const) {
    const relative = (layer: LayerSpec) => (layer.attention?.kind === "softmax" ? layer.attention.relative : undefined);
    const heir = spec[stack]?.layers.map(relative).find((one) => one !== undefined);
    if (heir && base[stack]!.layers.some((layer) => relative(layer)?.own)) heir.own = true;
  }
}

function bad(what: string): FormatError {
  return new FormatError("bad-changes",
    `load: config.json's "moelab" entry${what} Accepted is what moelab's save writes. Save the model again.`);
}
