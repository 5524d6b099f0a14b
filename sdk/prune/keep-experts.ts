import type { LayerPlan } from "../plan/plan.js";

/**
 * The plan of a layer of which some experts stay: the rest is not stored and its router outputs are masked
 * additively, before the choice, so that their tokens go to the next best expert.
 *
 * @param kept router outputs that stay, in any order
 * @param experts E
 * @example keepExperts([2, 0], 3)  // slots 0 and 2, expertOf [0, -1, 1], mask [1]
 */
export function keepExperts(kept: readonly number[], experts: number): LayerPlan {
  const stay = [...kept].sort((a, b) => a - b);
  const all = Array.from({ length: experts }, (_, expert) => expert);
  return {
    slots: stay.map((expert) => ({ from: [{ expert, weight: 1 }] })),
    expertOf: all.map((expert) => stay.indexOf(expert)),
    router: { mask: all.filter((expert) => !stay.includes(expert)) },
  };
}
