import * as v from "valibot";
import { specFromConfig } from "../checkpoint/family.js";
import { MoeError, suggest } from "../errors.js";
import { type Cost, cost } from "../model/cost.js";
import { withForms } from "../model/form/low-rank-sparse.js";
import { type ExpertSpec, moeLayers } from "../model/spec.js";
import { upcycledSpec } from "../model/upcycle.js";

const count = v.pipe(v.number(), v.integer(), v.minValue(1));
/** The numbers of rows may be means over many experts. */
const Slot = v.pipe(v.looseObject({ form: v.string(), width: count }),
  v.transform((slot) => withForms(slot) as ExpertSpec));

/** Architectures of the paper's own size, which are counted and never run. */
export const SizesSchema = v.strictObject({
  /** Hugging Face configuration that all start from */
  config: v.record(v.string(), v.unknown()),
  /** what one forward pass is given */
  shape: v.optional(v.strictObject({ batch: v.optional(count), source: v.optional(count), target: v.optional(count) }),
    {}),
  models: v.record(v.string(), v.strictObject({
    /** as the paper prints it */
    printed: v.optional(v.string(), ""),
    /** every dense feed-forward block (of every `every`-th layer, the last of each) becomes so many experts */
    upcycle: v.optional(
      v.strictObject({ experts: count, topK: v.optional(count), merge: v.optional(v.literal("sequence")),
        every: v.optional(count) }),
    ),
    /** the MoE layers, without the first `skip`, hold so many experts of this form */
    slots: v.optional(count),
    slot: v.optional(Slot),
    skip: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0),
  })),
});

export type Sizes = v.InferOutput<typeof SizesSchema>;

/**
 * Counts parameters and FLOPs of one of a study's sizes.
 *
 * @throws MoeError `unknown-size` with the nearest name
 */
export async function sizeOf(sizes: Sizes, name: string): Promise<Cost> {
  const change = sizes.models[name];
  if (!change)
    throw new MoeError("unknown-size",
      `study: there is no size "${name}". ${suggest(name, Object.keys(sizes.models))}`);
  const read = await specFromConfig({ ...sizes.config });
  const spec = change.upcycle ? upcycledSpec(read, change.upcycle).spec : read;
  for (const { ffn } of moeLayers(spec).slice(change.skip)) {
    const { slots = ffn.slots.length, slot = ffn.slots[0] } = change;
    ffn.slots = Array.from({ length: slots }, () => slot);
    ffn.expertOf = Array.from({ length: ffn.experts }, (_, expert) => expert % slots);
  }
  return cost(spec, sizes.shape);
}
