import { cmudict } from "../corpora/cmudict.js";
import { cut, split, type Parts } from "./split.js";
import { spelled, symbol } from "./symbols.js";
import type { Sizes } from "./task.js";

/** Builds `pron`: the letters of a word of 3 to 9 letters, answered by its first pronunciation without stress. */
export function spellToPronounce(sizes: Sizes): Parts {
  const items = cmudict()
    .filter(({ text }) => text.length >= 3 && text.length <= 9)
    .map(({ text, fields }) => ({ id: `pron/${text}`, prompt: spelled(text), answer: fields.phones.map(symbol), document: text }));
  return cut(split(items), sizes);
}
