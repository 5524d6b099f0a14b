import { least, type Policy } from "../policy.js";

/** The expert that was used least recently goes. */
export const lru = (): Policy => ({ victim: (slots) => least(slots, ({ lastUse }) => lastUse) });
