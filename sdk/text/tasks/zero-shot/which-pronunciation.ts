import { Rng } from "../../../tensor/rng.js";
import type { ChoiceQuestion } from "./choice-question.js";
import { domainTexts } from "./domain-texts.js";
import { withDistractors } from "./with-distractors.js";

const VOWEL = /^[AEIOU]/;

/**
 * Asks for the pronunciation of a spelled word. The wrong three differ from the right one in one phone, a vowel for a
 * vowel
 * or a consonant for a consonant, that is taken from another held-out word: frequent phones are as likely to be wrong
 * as right.
 */
export function whichPronunciation(count: number): ChoiceQuestion[] {
  const words = domainTexts("pronunciation").test.map(({ id, text }) => ({ id, spelling: text.split(" : ")[0],
    phones: text.split(" : ")[1].split(" ") })
  );
  return words.slice(0, count).map(({ id, spelling, phones }) => {
    const rng = new Rng(`which-pronunciation ${id}`);
    const wrong = new Set<string>();
    while (wrong.size < 3) {
      const place = rng.int(phones.length);
      const other = words[rng.int(words.length)].phones;
      const phone = other[rng.int(other.length)];
      if (phone !== phones[place] && VOWEL.test(phone) === VOWEL.test(phones[place]))
        wrong.add(phones.map((own, at) => (at === place ? phone : own)).join(" "));
    }
    return withDistractors(id, `${spelling} :`, phones.join(" "), [...wrong], rng);
  });
}
