import type { MoeFfnSpec } from "../model/spec.js";
import type { Alignment, SlotRecipe } from "./plan.js";

/** The stored slot whose order of neurons the sources of a recipe are brought into. */
export function referenceSlot(ffn: MoeFfnSpec, { to }: Alignment, from: SlotRecipe["from"]): number {
  if (to === "first") return firstSlot(ffn);
  return ffn.expertOf[to === "leader" ? from[0].expert : Math.min(...from.map(({ expert }) => expert))];
}

/** The stored slot of a layer's first expert that has one. */
export function firstSlot(ffn: MoeFfnSpec): number {
  return ffn.expertOf.find((slot) => slot >= 0)!;
}
