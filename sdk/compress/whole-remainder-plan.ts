import type { Plan } from "../plan/plan.js";

/**
 * The plan with whole remainders in place of cut ones, from which training decides which rows go; undefined when there
 * is nothing to decide: no low-rank-sparse slot, rows that the plan names, or shares that differ.
 */
export function wholeRemainderPlan(plan?: Plan): { plan: Plan; keep: number } | undefined {
  const forms = Object.values(plan?.layers ?? {}).flatMap(({ slots }) => slots ?? []).flatMap(
    ({ form }) => (form?.form === "low-rank-sparse" ? [form] : [])
  );
  const [first] = forms;
  if (!first || first.keep === 0 || first.keep === 1 || forms.some(({ keep, rows }) => rows || keep !== first.keep))
    return undefined;
  const layers = Object.fromEntries(Object.entries(plan!.layers).map(([id, layer]) => [id, {
    ...layer,
    ...(layer.slots && {
      slots: layer.slots.map(
        (slot) => (slot.form?.form === "low-rank-sparse" ? { ...slot, form: { ...slot.form, keep: 1 } } : slot)
      ),
    }),
  }]));
  return { plan: { ...plan!, layers }, keep: first.keep };
}
