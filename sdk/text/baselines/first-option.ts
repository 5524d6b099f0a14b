import { SEPARATOR } from "../tasks/symbols.js";
import type { Baseline } from "./baseline.js";

/** The options of a choice: what stands before the separators, the last part being the question. */
export function optionsOf(prompt: readonly string[]): string[][] {
  const options: string[][] = [[]];
  for (const symbol of prompt) symbol === SEPARATOR ? options.push([]) : options.at(-1)!.push(symbol);
  return options.slice(0, -1);
}

/** Always chooses the option that stands first. */
export const firstOption: Baseline = () => ({ prompt }) => optionsOf(prompt)[0];
