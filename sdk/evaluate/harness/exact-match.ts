import type { ExactMatchOptions } from "../../text/harness-task.js";
import { pattern as compile } from "./pattern.js";

/** Python's string.punctuation */
const PUNCTUATION = /[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]/g;

/**
 * Whether two texts are the same after what is to be ignored is taken out, in the order of the options.
 * White space counts.
 *
 * @returns 1 or 0
 * @example exactMatch("The Cat.", "the cat", { ignoreCase: true, ignorePunctuation: true })  // 1
 */
export function exactMatch(seen: string, wanted: string, options: ExactMatchOptions = {}): 0 | 1 {
  return reduced(seen, options) === reduced(wanted, options) ? 1 : 0;
}

function reduced(
  text: string,
  { ignorePatterns = [], ignoreCase, ignorePunctuation, ignoreNumbers }: ExactMatchOptions,
): string {
  for (const pattern of ignorePatterns) text = text.replace(compile(pattern), "");
  if (ignoreCase) text = text.toLowerCase();
  if (ignorePunctuation) text = text.replace(PUNCTUATION, "");
  if (ignoreNumbers) text = text.replace(/[0-9]/g, "");
  return text;
}
