import type { WeightSource } from "../checkpoint/weight-source.js";
import { moeLayers, type ModelSpec } from "../model/spec.js";
import type { Plan } from "../plan/plan.js";

/**
 * The plan with whole remainders in place of cut ones, from which training decides which rows go; undefined when there
 * is nothing to decide: no low-rank-sparse slot, rows that the plan names, or shares that differ.
 */
export function wholeRemainder(plan?: Plan): { plan: Plan; keep: number } | undefined {
  const forms = Object.values(plan?.layers ?? {}).flatMap(({ slots }) => slots ?? []).flatMap(({ form }) => (form?.form === "low-rank-sparse" ? [form] : []));
  const [first] = forms;
  if (!first || first.keep === 0 || first.keep === 1 || forms.some(({ keep, rows }) => rows || keep !== first.keep)) return undefined;
  const layers = Object.fromEntries(Object.entries(plan!.layers).map(([id, layer]) => [id, {
    ...layer,
    ...(layer.slots && { slots: layer.slots.map((slot) => (slot.form?.form === "low-rank-sparse" ? { ...slot, form: { ...slot.form, keep: 1 } } : slot)) }),
  }]));
  return { plan: { ...plan!, layers }, keep: first.keep };
}

/** The spec with the number of rows that each remainder still holds: those that are not zero. */
export async function keptRemainder(spec: ModelSpec, weights: WeightSource): Promise<ModelSpec> {
  const kept = structuredClone(spec);
  for (const { id, ffn } of moeLayers(kept)) {
    for (const [index, slot] of ffn.slots.entries()) {
      if (slot.form !== "low-rank-sparse") continue;
      for (const matrix of Object.keys(slot.rows)) slot.rows[matrix] = await nonZeroRows(weights, `${id}.experts.${index}.${matrix}.s`);
    }
  }
  return kept;
}

async function nonZeroRows(weights: WeightSource, name: string): Promise<number> {
  const [rows, width] = weights.info(name).shape;
  const values = await weights.values(name);
  return Array.from({ length: rows }, (_, row) => values.subarray(row * width, (row + 1) * width)).filter((row) => row.some((value) => value !== 0)).length;
}
