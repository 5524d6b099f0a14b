import { least, type Policy } from "../policy.js";

/** The expert with the fewest uses since it entered goes; of equal ones the least recent. */
export const lfuResident = (): Policy => ({
  victim: (slots) => least(slots, ({ uses }) => uses, ({ lastUse }) => lastUse),
});
