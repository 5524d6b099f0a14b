import type { Baseline } from "./baseline.js";
import { lettersOf } from "./copy.js";
import { mostFrequent } from "./most-frequent.js";

/**
 * Rewrites the ending: the last three letters (and the tag of the prompt) give the number of letters to cut and the
 * letters to add
 * that were most frequent for them in training; endings never seen fall back to two letters, one, none.
 */
export const suffixTable: Baseline = ({ train }) => {
  const table = mostFrequent();
  const key = (prompt: readonly string[], length: number) => {
    const letters = lettersOf(prompt);
    return [...prompt.slice(0, prompt.length - letters.length), "|",
      ...letters.slice(letters.length - Math.min(length, letters.length))].join("");
  };
  for (const { prompt, answer } of train) {
    const letters = lettersOf(prompt);
    let shared = 0;
    while (shared < letters.length && letters[shared] === answer[shared]) shared++;
    const rewrite = JSON.stringify([letters.length - shared, answer.slice(shared)]);
    for (let length = 0; length <= 3; length++) table.add(key(prompt, length), rewrite);
  }
  return ({ prompt }) => {
    const letters = lettersOf(prompt);
    for (let length = 3; length >= 0; length--) {
      const rewrite = table.get(key(prompt, length));
      if (!rewrite) continue;
      const [cut, add] = JSON.parse(rewrite) as [number, string[]];
      return [...letters.slice(0, Math.max(0, letters.length - cut)), ...add];
    }
    return letters;
  };
};
