import { MoeError } from "../errors.js";
import { patched } from "../model/patch.js";
import { layerSchema } from "../model/spec-schema.js";
import type { LayerId, LayerSpec } from "../model/spec.js";
import { parsed } from "../parsed.js";
import type { Block, LayerPlan } from "./plan.js";

/** The blocks that a plan takes out of a layer. */
export function droppedBlocks({ drop = [] }: LayerPlan): Block[] {
  return drop === "layer" ? ["attention", "cross", "ffn"] : typeof drop === "string" ? [drop] : drop;
}

/**
 * A layer without the blocks that are dropped, and with its patch.
 *
 * @throws MoeError `bad-plan` when the patch makes no layer of it
 */
export function patchedLayer(id: LayerId, layer: LayerSpec, change: LayerPlan): LayerSpec {
  const left = { ...layer };
  for (const block of droppedBlocks(change)) delete left[block];
  if (!left.attention && !left.cross && !left.ffn && !change.spec) return { norm: layer.norm };
  return change.spec ? checkedLayer(id, patched<LayerSpec>(left, change.spec)) : left;
}

/** @throws MoeError `bad-plan` when a patch made no layer of it */
export function checkedLayer(id: LayerId, layer: LayerSpec): LayerSpec {
  return parsed(layerSchema, layer,
    (why) => new MoeError("bad-plan", `plan: after the patch of ${id} ${why} Correct it.`));
}
