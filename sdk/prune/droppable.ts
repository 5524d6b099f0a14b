import { MoeError } from "../errors.js";
import { type LayerId, layerId, type ModelSpec } from "../model/spec.js";

/** Something that can be dropped from a layer. */
export interface Droppable {
  layer: LayerId;
  blocks: readonly ("attention" | "ffn")[];
}

/**
 * The attention blocks and the feed-forward blocks of all layers that have both: in two groups, in one ("any"), or
 * together as layers. Groups hold places in `units`.
 */
export function droppable(
  spec: ModelSpec,
  kind: "blocks" | "layers" | "any",
): { units: Droppable[]; groups: number[][] } {
  const layers = (["encoder", "decoder"] as const).flatMap((stack) =>
    (spec[stack]?.layers ?? []).flatMap(({ attention, ffn }, index) => attention && ffn ? [layerId(stack, index)] : [])
  );
  const kinds = kind === "layers" ? [["attention", "ffn"] as const] : [["attention"] as const, ["ffn"] as const];
  const units = kinds.flatMap((blocks) => layers.map((layer): Droppable => ({ layer, blocks })));
  const places = units.map((_, at) => at);
  return { units,
    groups: kind === "blocks" ? [places.slice(0, layers.length), places.slice(layers.length)] : [places] };
}

/** @throws MoeError `drop-out-of-range` */
export function droppedCount(drop: number, groups: readonly (readonly number[])[]): void {
  const [{ length }] = groups;
  if (drop <= length) return;
  throw new MoeError("drop-out-of-range",
    `prune: drop is ${drop} of ${length} blocks or layers of a kind that can go; accepted are 0 to ${length}. `
      + "Lower drop.");
}
