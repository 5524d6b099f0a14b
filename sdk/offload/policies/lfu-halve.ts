import { least, type Policy } from "../policy.js";

/** As `lfu`; all counts are halved after every so many uses, so that what was popular long ago is forgotten. */
export function lfuHalve({ period = 100 } = {}): Policy {
  const counts = new Map<number, number>();
  let uses = 0;
  return {
    victim: (slots) => least(slots, ({ key }) => counts.get(key) ?? 0, ({ lastUse }) => lastUse),
    used({ key }) {
      counts.set(key, (counts.get(key) ?? 0) + 1);
      if (++uses % period === 0) { for (const [other, count] of counts) counts.set(other, count / 2); }
    },
  };
}
