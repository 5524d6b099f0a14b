import { least, type Policy } from "../policy.js";

/** The expert that entered last goes. */
export const lifo = (): Policy => ({ victim: (slots) => least(slots, ({ entered }) => -entered) });
