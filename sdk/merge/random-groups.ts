import type { Rng } from "../tensor/rng.js";

/**
 * Deals experts into groups at random: group sizes differ by at most one.
 *
 * @returns E labels; groups are numbered by their lowest member
 * @example randomGroups(4, 4, rng)  // [0, 1, 2, 3]
 */
export function randomGroups(experts: number, groups: number, rng: Rng): number[] {
  const order = rng.shuffle(Array.from({ length: experts }, (_, expert) => expert));
  const dealt = new Array<number>(experts);
  order.forEach((expert, place) => (dealt[expert] = place % groups));
  const renumbered = new Map<number, number>();
  return dealt.map((label) => {
    if (!renumbered.has(label)) renumbered.set(label, renumbered.size);
    return renumbered.get(label)!;
  });
}
