import { least, type Policy } from "../policy.js";

/** The expert that entered first goes. */
export const fifo = (): Policy => ({ victim: (slots) => least(slots, ({ entered }) => entered) });
