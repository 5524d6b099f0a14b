import type { Rng } from "../tensor/rng.js";

/**
 * How much each member of a group counts in the merged expert:
 * - `frequency` (default): its usage, equation 2 of arXiv:2310.01334
 * - `uniform`: all the same, the plain mean
 * - `reversed`: 1 - usage, and `random`: a random number; the negative controls of the paper's code
 */
export const memberWeightings = ["frequency", "uniform", "reversed", "random"] as const;
export type MemberWeighting = (typeof memberWeightings)[number];

/**
 * Weights of a group's members, summing to 1. A group that was never used is represented by its leader.
 *
 * @param usage E shares
 * @param members expert indices, the leader first
 * @param epsilon added to the sum that they are divided by; the released codes add 1e-7. Default 0
 * @example memberWeights([0.6, 0.2, 0.2], [0, 2], "frequency", rng)  // [0.75, 0.25]
 */
export function memberWeights(
  usage: number[],
  members: number[],
  weighting: MemberWeighting,
  rng: Rng,
  epsilon = 0,
): number[] {
  const raw = members.map((expert) => {
    if (weighting === "frequency") return usage[expert];
    if (weighting === "reversed") return 1 - usage[expert];
    return weighting === "random" ? rng.next() : 1;
  });
  const total = raw.reduce((sum, weight) => sum + weight, 0);
  return raw.map((weight, index) => (total > 0 ? weight / (total + epsilon) : index === 0 ? 1 : 0));
}
