import { type PartOfSpeech, PARTS_OF_SPEECH, synsets } from "../corpora/wordnet.js";
import { cut, type Parts, split } from "./split.js";
import { spelled, symbol } from "./symbols.js";
import type { Sizes } from "./task.js";

const DIRECTIONS = new Set(["noun>verb", "noun>adjective", "verb>noun", "adjective>noun", "adverb>adjective"]);
const WORD = /^[a-z]{3,12}$/;

/**
 * Builds `derive`: a part of speech and the letters of a word, answered by the letters of the word derived from it.
 * Pairs are WordNet's derivational and pertainym relations between words that begin with the same three letters;
 * words with two answers are left out. Words with the same first four letters stay in one part, so that a family is not
 * cut.
 */
export function derivedWord(sizes: Sizes): Parts {
  const answers = new Map<string, Set<string>>();
  for (const from of PARTS_OF_SPEECH) {
    for (const { fields } of synsets(from).values()) {
      for (const { relation, to, word, toWord } of fields.pointers) {
        const target = to.slice(0, to.indexOf("-")) as PartOfSpeech;
        if ((relation !== "+" && relation !== "\\") || word < 0 || !DIRECTIONS.has(`${from}>${target}`)) continue;
        const base = fields.words[word];
        const derived = synsets(target).get(to)!.fields.words[toWord];
        if (!WORD.test(base) || !WORD.test(derived) || base === derived || base.slice(0, 3) !== derived.slice(0, 3))
          continue;
        const key = `${target}/${base}`;
        if (!answers.has(key)) answers.set(key, new Set());
        answers.get(key)!.add(derived);
      }
    }
  }
  const pairs = [...answers].filter(([, derived]) => derived.size === 1).map(([key, [derived]]) => {
    const [target, base] = key.split("/");
    return { id: `derive/${key}`, document: base.slice(0, 4), target, base, derived };
  });
  return cut(split(pairs), sizes,
    ({ target, base, derived, ...pair }) => ({ ...pair, prompt: [symbol(target), ...spelled(base)],
      answer: spelled(derived) }));
}
