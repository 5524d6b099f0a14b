import { spread } from "./spread.js";

/**
 * Cuts clean text into fragments of whole words with at most `length` characters and returns at most `count` of them,
 * at even distances.
 */
export function fragments(text: string, length: number, count: number): string[] {
  const all: string[] = [];
  let fragment = "";
  for (const word of text.split(" ")) {
    if (fragment.length + 1 + word.length > length) {
      all.push(fragment);
      fragment = word.slice(0, length);
    } else fragment = fragment === "" ? word : `${fragment} ${word}`;
  }
  return spread(all.filter((text) => text.length > length / 2), count);
}
