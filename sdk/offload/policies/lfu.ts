import { least, type Policy } from "../policy.js";

/** The expert with the fewest uses so far goes, counted also while it was away; of equal ones the least recent. */
export function lfu(): Policy {
  const counts = new Map<number, number>();
  return {
    victim: (slots) => least(slots, ({ key }) => counts.get(key) ?? 0, ({ lastUse }) => lastUse),
    used: ({ key }) => void counts.set(key, (counts.get(key) ?? 0) + 1),
  };
}
