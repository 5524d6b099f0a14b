import { cleanText } from "../clean-text.js";
import { hash } from "../hash.js";
import { novelAndSpeeches, partOfProse } from "./novel-and-speeches.js";
import { cut, split, type Parts } from "./split.js";
import { spread } from "./spread.js";
import { SEPARATOR } from "./symbols.js";
import type { Item, Sizes } from "./task.js";

const WINDOW = 10;
const PER_DOCUMENT = 120;

/**
 * Builds `span`: a word and ten words of prose in which it stands once, answered by the two words that follow it there.
 * Words have lost their punctuation. Each speech or chapter gives at most 120 windows, at even distances.
 */
export function wordsAfter(sizes: Sizes): Parts {
  const items: Item[] = [];
  for (const { id, text } of novelAndSpeeches()) {
    const words = cleanText(text).match(/[a-z0]+(?:['-][a-z0]+)*/g) ?? [];
    const starts = Array.from({ length: Math.floor(words.length / WINDOW) }, (_, i) => i * WINDOW);
    for (const start of spread(starts, PER_DOCUMENT)) {
      const window = words.slice(start, start + WINDOW);
      const asked = window.map((_, i) => i).filter((i) => i < WINDOW - 2 && window.indexOf(window[i]) === window.lastIndexOf(window[i]));
      if (asked.length === 0 || window.some((word) => word.length > 14)) continue;
      const at = asked[hash(`${id}/${start}/asked`) % asked.length];
      items.push({
        id: `span/${id}/${start}`,
        prompt: [` ${window[at]}`, SEPARATOR, ...window.map((word) => ` ${word}`)],
        answer: [` ${window[at + 1]}`, ` ${window[at + 2]}`],
        document: id,
      });
    }
  }
  return cut(split(items, partOfProse), sizes);
}
