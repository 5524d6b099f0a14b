import { cmudict } from "../corpora/cmudict.js";
import { wordnetExceptions } from "../corpora/wordnet-exceptions.js";
import { lemmas, type PartOfSpeech, PARTS_OF_SPEECH } from "../corpora/wordnet.js";
import { cut, type Parts, split } from "./split.js";
import { spelled } from "./symbols.js";
import type { Sizes } from "./task.js";

/** WordNet's rules of detachment: an ending, what replaces it, and the part of speech of the lemma. */
const DETACHMENT: [ending: string, put: string, partOfSpeech: PartOfSpeech][] = [["s", "", "noun"], ["ses", "s",
  "noun"], ["xes", "x", "noun"], ["zes", "z", "noun"], ["ches", "ch", "noun"], ["shes", "sh", "noun"], ["men", "man",
  "noun"], ["ies", "y", "noun"], ["s", "", "verb"], ["ies", "y", "verb"], ["es", "e", "verb"], ["es", "", "verb"], [
  "ed",
  "e",
  "verb",
], ["ed", "", "verb"], ["ing", "e", "verb"], ["ing", "", "verb"], ["er", "", "adjective"], ["est", "", "adjective"], [
  "er",
  "e",
  "adjective",
], ["est", "e", "adjective"]];
const WORD = /^[a-z]{3,12}$/;

/**
 * Builds `lemma`: the letters of an inflected form, answered by the letters of its only lemma.
 * Irregular forms are WordNet's exceptions; regular ones are words of the pronouncing dictionary, themselves no lemma,
 * from which the rules of detachment reach exactly one lemma. Forms that only add an s are left out: they are most, and
 * teach nothing.
 */
export function formToLemma(sizes: Sizes): Parts {
  const found = new Map<string, Set<string>>();
  const add = (form: string, lemma: string) => found.set(form, (found.get(form) ?? new Set()).add(lemma));
  for (const { form, lemma } of wordnetExceptions())
    if (WORD.test(form) && WORD.test(lemma) && form !== lemma) add(form, lemma);
  const irregular = new Set(found.keys());
  for (const { text: form } of cmudict()) {
    if (!WORD.test(form) || irregular.has(form) || PARTS_OF_SPEECH.some((pos) => lemmas(pos).has(form))) continue;
    for (const [ending, put, partOfSpeech] of DETACHMENT) {
      if (!form.endsWith(ending)) continue;
      const lemma = form.slice(0, -ending.length) + put;
      if (WORD.test(lemma) && lemmas(partOfSpeech).has(lemma)) add(form, lemma);
    }
  }
  const pairs = [...found].filter(([form, [lemma, other]]) => other === undefined && form !== `${lemma}s`).map(
    ([form, [lemma]]) => ({ id: `lemma/${form}`, document: lemma, form })
  );
  return cut(split(pairs), sizes,
    ({ form, ...pair }) => ({ ...pair, prompt: spelled(form), answer: spelled(pair.document) }));
}
