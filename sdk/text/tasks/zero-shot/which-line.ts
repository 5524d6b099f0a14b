import { Rng } from "../../../tensor/rng.js";
import { spread } from "../spread.js";
import type { ChoiceQuestion } from "./choice-question.js";
import { domainTexts } from "./domain-texts.js";
import { withDistractors } from "./with-distractors.js";

/** Longer lines and contexts say little more and cost much. */
const LONGEST = 60;

/**
 * Asks which line of code comes after two others of a held-out declaration; the wrong three are second or later lines
 * of other declarations.
 */
export function whichLine(count: number): ChoiceQuestion[] {
  const places = domainTexts("code").test.flatMap(({ id, document, text }) => {
    const lines = text.split("\n");
    return lines.slice(2).flatMap((line, at) => (
      /\w/.test(line) && [line, lines[at], lines[at + 1]].every(({ length }) => length <= LONGEST)
        ? [{ id: `${id}/${at + 2}`, document, context: `${lines[at]}\n${lines[at + 1]}`, line }]
        : []
    ));
  });
  return spread(places, count).map(({ id, document, context, line }) => {
    const rng = new Rng(`which-line ${id}`);
    const wrong = new Set<string>();
    while (wrong.size < 3) {
      const other = places[rng.int(places.length)];
      if (other.document !== document && other.line !== line) wrong.add(`\n${other.line}`);
    }
    return withDistractors(id, context, `\n${line}`, [...wrong], rng);
  });
}
