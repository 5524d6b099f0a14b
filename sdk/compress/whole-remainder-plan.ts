import type { Plan } from "../plan/plan.js";
import { isFactored } from "../plan/slot-form.js";

/**
 * The plan with whole remainders in place of cut ones, from which training decides which rows go; undefined when there
 * is nothing to decide: no slot of factors, rows that the plan names, or shares that differ.
 */
export function wholeRemainderPlan(plan?: Plan): { plan: Plan; keep: number } | undefined {
  const forms = Object.values(plan?.layers ?? {}).flatMap(({ slots }) => slots ?? []).flatMap(
    ({ form }) => (isFactored(form) ? [form] : [])
  );
  const [first] = forms;
  if (!first || first.keep === 0 || first.keep === 1 || forms.some(({ keep, rows }) => rows || keep !== first.keep))
    return undefined;
  const layers = Object.fromEntries(Object.entries(plan!.layers).map(([id, layer]) => [id, {
    ...layer,
    ...(layer.slots && {
      slots: layer.slots.map((slot) => (isFactored(slot.form) ? { ...slot, form: { ...slot.form, keep: 1 } } : slot)),
    }),
  }]));
  return { plan: { ...plan!, layers }, keep: first.keep };
}
