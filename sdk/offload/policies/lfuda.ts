import { least, type Policy, type Slot } from "../policy.js";

/**
 * LFU with dynamic aging: uses since entry plus the age of the pool, which is the sum of the last one that went.
 *
 * Arlitt, Cherkasova, Dilley, Friedrich, Jin, Evaluating Content Management Techniques for Web Proxy Caches, 2000.
 */
export function lfuda(): Policy {
  const sums = new Map<number, number>();
  let age = 0;
  const set = ({ key, uses }: Slot) => void sums.set(key, uses + age);
  return {
    victim: (slots) => least(slots, ({ key }) => sums.get(key) ?? 0, ({ lastUse }) => lastUse),
    used: set,
    prefetched: set,
    evicted: ({ key }) => void (age = sums.get(key) ?? age),
  };
}
