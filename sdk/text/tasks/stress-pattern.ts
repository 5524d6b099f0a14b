import { cmudict } from "../corpora/cmudict.js";
import { cut, split, type Parts } from "./split.js";
import { spelled, symbol } from "./symbols.js";
import type { Sizes } from "./task.js";

/** Builds `stress`: the letters of a word of four or more syllables, answered by one digit of stress for each syllable. */
export function stressPattern(sizes: Sizes): Parts {
  const items = cmudict()
    .filter(({ text, fields }) => text.length <= 14 && fields.stress.length >= 4)
    .map(({ text, fields }) => ({ id: `stress/${text}`, prompt: spelled(text), answer: fields.stress.map(symbol), document: text }));
  return cut(split(items), sizes);
}
