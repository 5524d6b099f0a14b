import type { Baseline } from "./baseline.js";

/** The letters of a prompt: symbols of one character, not tags such as `<plural>`. */
export const lettersOf = (prompt: readonly string[]): string[] => prompt.filter((symbol) => /^<[a-z]>$/.test(symbol));

/** Gives the word of the prompt back. */
export const copy: Baseline = () => ({ prompt }) => lettersOf(prompt);
