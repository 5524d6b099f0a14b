import { least, type Policy } from "../policy.js";

/** The expert whose next use is farthest goes (Belady 1966): the bound that no policy passes; it knows the trace. */
export const belady = (): Policy => ({ victim: (slots, { nextUse }) => least(slots, ({ key }) => -nextUse(key)) });
