import * as v from "valibot";
import type { Shape } from "../model/form/form.js";
import type { MatrixForm } from "../model/form/matrix-form.js";
import type { RowBudget } from "./kept-rows.js";

/**
 * How a slot is stored. Of factors, `keep` is the share of the remainder's rows that stay; `rows`: which ones, per
 * matrix ("up", "gate", "down"); absent: those of the largest norm.
 * Free experts take nothing from their sources: "constant" gives the vector `value` [D] for every token, "copy" its
 * input, "zero" nothing.
 */
export type SlotForm = { form: "zero" | "copy" } | { form: "constant"; value: number[] } | { form: "dense" } | Factored;

/** Every matrix as factors of a rank. */
export interface Factored {
  form: "low-rank-sparse";
  rank: number;
  keep: number;
  rows?: Record<string, number[]>;
}

export function isFactored(form: SlotForm | undefined): form is Factored {
  return form?.form === "low-rank-sparse";
}

/** What stands in the place of a matrix of a slot, and the options of its fitter. */
export function factorsOf(
  { form, rank, keep, rows }: Factored,
  matrix: string,
  [out, width]: Shape,
  budget: RowBudget,
): { form: MatrixForm; options: Record<string, unknown> } {
  const named = rows?.[matrix];
  return { form: { form, rank, rows: named?.length ?? budget.take(out, width, keep) },
    options: { ...(named && { rows: named }) } };
}

const RANK = 1 << 16;
const WIDTH = 1 << 20;
const places = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(WIDTH));

export const slotForm = v.variant("form", [
  ...(["dense", "zero", "copy"] as const).map((form) => v.strictObject({ form: v.literal(form) })),
  v.strictObject({ form: v.literal("constant"),
    value: v.pipe(v.array(v.pipe(v.number(), v.finite())), v.maxLength(WIDTH)) }),
  v.strictObject({
    form: v.literal("low-rank-sparse"),
    rank: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(RANK)),
    keep: v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(1)),
    rows: v.optional(v.record(v.picklist(["up", "gate", "down"]), v.pipe(v.array(places), v.maxLength(WIDTH)))),
  }),
]);
