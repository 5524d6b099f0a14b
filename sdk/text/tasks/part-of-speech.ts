import { lemmas, PARTS_OF_SPEECH } from "../corpora/wordnet.js";
import { balance, type Parts, split } from "./split.js";
import { spelled, symbol } from "./symbols.js";
import type { Sizes } from "./task.js";

/** Builds `pos`: the letters of a lemma that has one part of speech alone, answered by it. */
export function partOfSpeech(sizes: Sizes): Parts {
  const items = PARTS_OF_SPEECH.flatMap((pos) =>
    [...lemmas(pos).keys()].filter((lemma) =>
      /^[a-z]{3,12}$/.test(lemma) && PARTS_OF_SPEECH.every((other) => other === pos || !lemmas(other).has(lemma))
    ).map((lemma) => ({ id: `pos/${lemma}`, prompt: spelled(lemma), answer: [symbol(pos)], document: lemma }))
  );
  return balance(split(items), sizes);
}
