import { MoeError } from "../errors.js";

/**
 * Gives each of n things one of the given widths so that the sum of costs is the least and the widths sum to at most
 * the budget: the integer program of arXiv:2410.06270, solved exactly. Of equal sums the one of fewer bits, and of
 * these the one that is lower for the first thing in which they differ.
 *
 * @param costs [n][widths] of each thing at each width
 * @param widths rising
 * @param atLeastOnce widths that have to occur
 * @returns width of each thing
 * @throws MoeError `budget-out-of-range`
 * @example allocateBits([[9, 1], [2, 1]], [1, 2], 3)  // [2, 1]
 */
export function allocateBits(
  costs: readonly (readonly number[])[],
  widths: readonly number[],
  budget: number,
  atLeastOnce: readonly number[] = [],
): number[] {
  const bit = (width: number) => (atLeastOnce.includes(width) ? 1 << atLeastOnce.indexOf(width) : 0);
  const all = (1 << atLeastOnce.length) - 1;
  // by bits used and widths seen: the least cost of the things from here to the last, and the width of the first
  type State = Map<number, { cost: number; bits: number; width: number }>;
  const key = (left: number, seen: number) => left * (all + 1) + seen;
  const stages: State[] = [];
  const least = (thing: number, left: number, seen: number): { cost: number; bits: number } | undefined => {
    if (thing === costs.length) return seen === all ? { cost: 0, bits: 0 } : undefined;
    const known = (stages[thing] ??= new Map()).get(key(left, seen));
    if (known) return known.width > 0 ? known : undefined;
    let best = { cost: Infinity, bits: Infinity, width: 0 };
    widths.forEach((width, choice) => {
      const rest = width <= left ? least(thing + 1, left - width, seen | bit(width)) : undefined;
      if (!rest) return;
      const [cost, bits] = [costs[thing][choice] + rest.cost, width + rest.bits];
      if (cost < best.cost || cost === best.cost && bits < best.bits) best = { cost, bits, width };
    });
    stages[thing].set(key(left, seen), best);
    return best.width > 0 ? best : undefined;
  };
  if (!least(0, budget, 0))
    throw new MoeError("budget-out-of-range",
      `compress: ${budget} bits for ${costs.length} experts of ${widths.join(", ")} bits each${
        atLeastOnce.length > 0 ? `, ${atLeastOnce.join(" and ")} at least once` : ""
      }; accepted is a budget that they fit into. Change bits.`);
  const found: number[] = [];
  let [left, seen] = [budget, 0];
  for (let thing = 0; thing < costs.length; thing++) {
    const { width } = stages[thing].get(key(left, seen))!;
    found.push(width);
    left -= width;
    seen |= bit(width);
  }
  return found;
}
