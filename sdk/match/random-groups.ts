import { Rng } from "../tensor/rng.js";

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

/**
 * The random groups of one layer: they follow from the seed and the layer alone, so that every baseline has the same.
 */
export function groupsOf(
  layer: string,
  experts: number,
  groups: number,
  seed = 0,
): { labels: number[]; members: number[][] } {
  const labels = randomGroups(experts, groups, new Rng(`${seed} ${layer}`));
  return { labels,
    members: Array.from({ length: groups },
      (_, group) => labels.flatMap((label, expert) => (label === group ? [expert] : []))) };
}
