import { pattern as compile } from "./pattern.js";

/**
 * Takes an answer out of generated text: the first match of a pattern (negative `match` counts from the end), of it
 * the one group, or the first group that is not empty, or the whole. Surrounding white space goes.
 *
 * @returns "[invalid]" where nothing matches, as lm-evaluation-harness has it
 * @example extract("the answer is 42.", "([0-9]+)")  // "42"
 */
export function extract(text: string, pattern: string | RegExp, match = 0): string {
  const found = [...text.matchAll(compile(pattern))].at(match);
  if (!found) return "[invalid]";
  const groups = found.slice(1);
  return (groups.length === 0 ? found[0] : groups.find(Boolean) ?? "").trim();
}
