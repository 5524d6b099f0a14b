import { cmudict, phones } from "../corpora/cmudict.js";
import { cut, type Parts, split } from "./split.js";
import { spelled, symbol } from "./symbols.js";
import type { Sizes } from "./task.js";

/** Builds `pron`: the letters of a word of 3 to 9 letters, answered by its first pronunciation without stress. */
export function spellToPronounce(sizes: Sizes): Parts {
  const words = cmudict().filter(({ text }) => text.length >= 3 && text.length <= 9).map(({ text, fields }) => ({
    id: `pron/${text}`,
    document: text,
    arpabet: fields.arpabet,
  }));
  return cut(split(words), sizes,
    ({ arpabet, ...word }) => ({ ...word, prompt: spelled(word.document), answer: phones(arpabet).map(symbol) }));
}
