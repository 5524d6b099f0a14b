import type { LayerId } from "../model/spec.js";
import type { LayerPlan, Plan } from "./plan.js";

/** One layer in which two plans differ. */
export interface PlanDifference {
  layer: LayerId;
  /** what differs: "drop", "slots", "expertOf", "router", or "only in the first", "only in the second" */
  fields: string[];
  /** router outputs that lead to different sets of experts, weights and leaders aside */
  regrouped: number[];
  /** stored experts before and after, where both plans say */
  slots: [number | undefined, number | undefined];
}

/**
 * Says in which layers two plans for one model differ, and which experts keep other company. Options and method
 * names are not compared: plans that do the same are equal, whoever made them.
 *
 * @example diffPlans(plan, plan)  // []
 */
export function diffPlans(first: Plan, second: Plan): PlanDifference[] {
  const layers = [...new Set([...Object.keys(first.layers), ...Object.keys(second.layers)])];
  return layers.flatMap((layer) => {
    const [a, b] = [first.layers[layer], second.layers[layer]];
    const fields = !a
      ? ["only in the second"]
      : !b
      ? ["only in the first"]
      : (["drop", "slots", "expertOf", "router"] as const).filter((field) =>
        JSON.stringify(a[field]) !== JSON.stringify(b[field])
      );
    return fields.length === 0
      ? []
      : [{ layer, fields, regrouped: regrouped(a, b), slots: [a?.slots?.length, b?.slots?.length] }];
  });
}

/** experts whose fellow members differ: labels are compared as partitions, so renumbered slots are the same */
function regrouped(a?: LayerPlan, b?: LayerPlan): number[] {
  if (!a?.expertOf || !b?.expertOf) return [];
  const fellows = (map: number[], expert: number) =>
    map.flatMap((slot, other) => (slot === map[expert] ? [other] : [])).join();
  return a.expertOf.flatMap((
    _,
    expert,
  ) => (fellows(a.expertOf!, expert) === fellows(b.expertOf!, expert)
      && (a.expertOf![expert] < 0) === (b.expertOf![expert] < 0)
    ? []
    : [expert])
  );
}
