import { cmudict } from "../corpora/cmudict.js";
import { cut, split, type Parts } from "./split.js";
import { spelled, symbol } from "./symbols.js";
import type { Sizes } from "./task.js";

/**
 * Builds `spell`: a pronunciation, answered by the letters of its word of 3 to 9 letters.
 * Pronunciations that several words share are left out: nothing could be said to be right.
 */
export function pronounceToSpell(sizes: Sizes): Parts {
  const words = cmudict();
  const spellings = new Map<string, number>();
  for (const { fields } of words) {
    const sound = fields.phones.join(" ");
    spellings.set(sound, (spellings.get(sound) ?? 0) + 1);
  }
  const items = words
    .filter(({ text, fields }) => text.length >= 3 && text.length <= 9 && spellings.get(fields.phones.join(" ")) === 1)
    .map(({ text, fields }) => ({ id: `spell/${text}`, prompt: fields.phones.map(symbol), answer: spelled(text), document: text }));
  return cut(split(items), sizes);
}
