import { cmudict } from "../corpora/cmudict.js";
import { cut, type Parts, split } from "./split.js";
import { spelled, symbol } from "./symbols.js";
import type { Sizes } from "./task.js";

/**
 * Builds `spell`: a pronunciation, answered by the letters of its word of 3 to 9 letters.
 * Pronunciations that several words share are left out: nothing could be said to be right.
 */
export function pronounceToSpell(sizes: Sizes): Parts {
  const words = cmudict().map(({ text, fields }) => ({ id: `spell/${text}`, document: text,
    sound: fields.arpabet.replace(/\d/g, "") })
  );
  const spellings = new Map<string, number>();
  for (const { sound } of words) spellings.set(sound, (spellings.get(sound) ?? 0) + 1);
  const alone = words.filter(({ document, sound }) =>
    document.length >= 3 && document.length <= 9 && spellings.get(sound) === 1
  );
  return cut(split(alone), sizes,
    ({ sound, ...word }) => ({ ...word, prompt: sound.split(" ").map(symbol), answer: spelled(word.document) }));
}
