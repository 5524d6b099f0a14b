import { hash } from "../hash.js";
import { chapters, partOfProse, speeches } from "./novel-and-speeches.js";
import { cut, type Parts, split } from "./split.js";
import { spread } from "./spread.js";
import { SEPARATOR } from "./symbols.js";
import type { Sizes } from "./task.js";

const WINDOW = 10;
const PER_DOCUMENT = 120;

/**
 * Builds `span`: a word and ten words of prose in which it stands once, answered by the two words that follow it there.
 * Words have lost their punctuation. Each speech or chapter gives at most 120 windows, at even distances.
 */
export function wordsAfter(sizes: Sizes): Parts {
  const windows: { id: string; document: string; window: string[]; at: number }[] = [];
  for (const { id, text } of [...speeches(), ...chapters()]) {
    const words = text.match(/[a-z0]+(?:['-][a-z0]+)*/g) ?? [];
    const starts = Array.from({ length: Math.floor(words.length / WINDOW) }, (_, i) => i * WINDOW);
    for (const start of spread(starts, PER_DOCUMENT)) {
      const window = words.slice(start, start + WINDOW);
      const asked = window.map((_, i) => i).filter((i) =>
        i < WINDOW - 2 && window.indexOf(window[i]) === window.lastIndexOf(window[i])
      );
      if (asked.length === 0 || window.some((word) => word.length > 14)) continue;
      const at = asked[hash(`${id}/${start}/asked`) % asked.length];
      windows.push({ id: `span/${id}/${start}`, document: id, window: window.map((word) => ` ${word}`), at });
    }
  }
  return cut(split(windows, partOfProse), sizes, ({ id, document, window, at }) => (
    { id, document, prompt: [window[at], SEPARATOR, ...window], answer: window.slice(at + 1, at + 3) }
  ));
}
