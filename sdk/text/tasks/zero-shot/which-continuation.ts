import { Rng } from "../../../tensor/rng.js";
import type { ChoiceQuestion } from "./choice-question.js";
import { proseFragments } from "./prose-fragments.js";
import { withDistractors } from "./with-distractors.js";

const GIVEN = 14;
const ASKED = 5;

/** Asks how a sentence of a speech or of the novel goes on, by five words; the wrong three go on other sentences of the same domain. */
export function whichContinuation(count: number): ChoiceQuestion[] {
  const fragments = proseFragments(GIVEN + ASKED, count);
  return fragments.map(({ id, domain, words }, index) => {
    const rng = new Rng(`which-continuation ${id}`);
    const others = fragments.filter((other, at) => at !== index && other.domain === domain);
    const wrong = rng.shuffle(others).slice(0, 3).map((other) => other.words.slice(GIVEN).join(" "));
    return withDistractors(id, words.slice(0, GIVEN).join(" "), words.slice(GIVEN).join(" "), wrong, rng);
  });
}
