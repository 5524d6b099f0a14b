import type { Baseline } from "./baseline.js";

/** Gives the last two words of the prompt. */
export const lastTwoWords: Baseline = () => ({ prompt }) => prompt.slice(-2);
