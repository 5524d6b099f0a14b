import { Rng } from "../../../tensor/rng.js";
import type { ChoiceQuestion } from "./choice-question.js";
import { proseFragments } from "./prose-fragments.js";
import { withDistractors } from "./with-distractors.js";

const GIVEN = 7;
const AFTER = 3;

/**
 * Asks which word stands in a sentence of a speech or of the novel, between the seven before it and the three after it.
 * The wrong three stand at the same place of other sentences of the same domain, so that no word is likelier to be
 * right.
 */
export function whichWord(count: number): ChoiceQuestion[] {
  const fragments = proseFragments(GIVEN + 1 + AFTER, count);
  return fragments.map(({ id, domain, words }) => {
    const rng = new Rng(`which-word ${id}`);
    const others = new Set(
      fragments.filter((other) => other.domain === domain && other.words[GIVEN] !== words[GIVEN]).map((other) =>
        other.words[GIVEN]
      ),
    );
    const choice = (word: string): string => [word, ...words.slice(GIVEN + 1)].join(" ");
    return withDistractors(id, words.slice(0, GIVEN).join(" "), choice(words[GIVEN]),
      rng.shuffle([...others]).slice(0, 3).map(choice), rng);
  });
}
