import { cmudict, stress } from "../corpora/cmudict.js";
import { cut, type Parts, split } from "./split.js";
import { spelled, symbol } from "./symbols.js";
import type { Sizes } from "./task.js";

/**
 * Builds `stress`: the letters of a word of four or more syllables, answered by one digit of stress for each syllable.
 */
export function stressPattern(sizes: Sizes): Parts {
  const words = cmudict().map(({ text, fields }) => ({ id: `stress/${text}`, document: text,
    pattern: stress(fields.arpabet) })
  ).filter(({ document, pattern }) => document.length <= 14 && pattern.length >= 4);
  return cut(split(words), sizes,
    ({ pattern, ...word }) => ({ ...word, prompt: spelled(word.document), answer: pattern.map(symbol) }));
}
