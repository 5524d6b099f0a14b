import { Rng } from "../../../tensor/rng.js";
import type { ChoiceQuestion } from "./choice-question.js";
import { proseFragments } from "./prose-fragments.js";
import { withDistractors } from "./with-distractors.js";

const GIVEN = 5;
const ASKED = 4;

/** Asks in which order four words go on a sentence: as they stand, or with two neighbours exchanged. */
export function whichOrder(count: number): ChoiceQuestion[] {
  return proseFragments(GIVEN + ASKED, count).map(({ id, words }) => {
    const rng = new Rng(`which-order ${id}`);
    const asked = words.slice(GIVEN);
    const at = rng.int(ASKED - 1);
    const swapped = [...asked.slice(0, at), asked[at + 1], asked[at], ...asked.slice(at + 2)];
    return withDistractors(id, words.slice(0, GIVEN).join(" "), asked.join(" "), [swapped.join(" ")], rng);
  }).filter(({ choices }) => choices[0] !== choices[1]);
}
