import type { Baseline } from "./baseline.js";
import { mostFrequent } from "./most-frequent.js";

/**
 * Gives the whole answer most frequent among training words with the same last four letters, else three, two, one,
 * none.
 */
export const suffixVote: Baseline = ({ train }) => {
  const table = mostFrequent();
  const ending = (prompt: readonly string[], length: number) => (length === 0 ? "" : prompt.slice(-length).join(""));
  for (const { prompt, answer } of train)
    for (let length = 0; length <= 4; length++) table.add(ending(prompt, length), answer.join("\t"));
  return ({ prompt }) => {
    for (let length = 4;; length--) {
      const answer = table.get(ending(prompt, length));
      if (answer !== undefined) return answer.split("\t");
    }
  };
};
