/** layer x E + expert */
export type ExpertKey = number;

/** An expert that is in fast memory. Times are counted in uses and loads of its pool. */
export interface Slot {
  readonly key: ExpertKey;
  entered: number;
  lastUse: number;
  /** since it entered */
  uses: number;
}

/** What a policy may know besides the slots. */
export interface PoolView {
  /** position of the next use of an expert among all that come; Infinity: none. Of replays alone: nobody knows it */
  nextUse(key: ExpertKey): number;
  /** uniform in [0, 1) */
  random(): number;
}

/**
 * Says which expert makes room. It sees what was used, never the clock, so that the same object runs against files and
 * against the simulator. One is made for each pool.
 *
 * @example the least recently used one: { victim: (slots) => least(slots, ({ lastUse }) => lastUse) }
 */
export interface Policy {
  /** @param slots those that may go, by rising key; at least one */
  victim(slots: readonly Slot[], pool: PoolView): Slot;
  /** after each use, of an expert that was there or was loaded for it */
  used?(slot: Slot): void;
  /** loaded ahead of its use */
  prefetched?(slot: Slot): void;
  evicted?(slot: Slot): void;
}

/** The slot with the least score; of equal ones the first score after it decides, then the lower key. */
export function least(slots: readonly Slot[], ...scores: ((slot: Slot) => number)[]): Slot {
  return slots.reduce((best, slot) => {
    for (const score of scores) {
      const difference = score(slot) - score(best);
      if (difference !== 0) return difference < 0 ? slot : best;
    }
    return slot.key < best.key ? slot : best;
  });
}
