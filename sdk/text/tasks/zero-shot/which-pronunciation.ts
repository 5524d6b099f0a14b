import { Rng } from "../../../tensor/rng.js";
import type { ChoiceQuestion } from "./choice-question.js";
import { domainTexts } from "./domain-texts.js";
import { withDistractors } from "./with-distractors.js";

/**
 * Asks for the pronunciation of a spelled word. The three wrong ones are of other held-out words and have the same first
 * phone and as many phones, so that neither the first letter nor the length gives the answer away.
 */
export function whichPronunciation(count: number): ChoiceQuestion[] {
  const words = domainTexts("pronunciation").test.map(({ id, text }) => ({ id, spelling: text.split(" : ")[0], phones: text.split(" : ")[1] }));
  const kind = (phones: string): string => `${phones.split(" ")[0]} ${phones.split(" ").length}`;
  const alike = new Map<string, string[]>();
  for (const { phones } of words) alike.set(kind(phones), [...new Set([...(alike.get(kind(phones)) ?? []), phones])]);
  const questions: ChoiceQuestion[] = [];
  for (const { id, spelling, phones } of words) {
    if (questions.length === count) break;
    const rng = new Rng(`which-pronunciation ${id}`);
    const wrong = rng.shuffle(alike.get(kind(phones))!.filter((other) => other !== phones)).slice(0, 3);
    if (wrong.length === 3) questions.push(withDistractors(id, `${spelling} :`, phones, wrong, rng));
  }
  return questions;
}
