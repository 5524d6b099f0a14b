import { cmudict } from "../corpora/cmudict.js";
import { once } from "../corpora/once.js";
import { lemmas, type PartOfSpeech } from "../corpora/wordnet.js";
import { wordnetExceptions } from "../corpora/wordnet-exceptions.js";

export const INFLECTIONS = ["plural", "third-person", "past", "gerund", "comparative", "superlative"] as const;

export interface Inflection {
  form: string;
  lemma: string;
  tag: (typeof INFLECTIONS)[number];
  /** True for a form of WordNet's exception lists. */
  exception: boolean;
}

/** WordNet's rules of detachment: an ending, what replaces it, the part of speech, and what the form then is. */
const DETACHMENT: [string, string, PartOfSpeech, Inflection["tag"]][] = [
  ["s", "", "noun", "plural"], ["ses", "s", "noun", "plural"], ["xes", "x", "noun", "plural"], ["zes", "z", "noun", "plural"],
  ["ches", "ch", "noun", "plural"], ["shes", "sh", "noun", "plural"], ["men", "man", "noun", "plural"], ["ies", "y", "noun", "plural"],
  ["s", "", "verb", "third-person"], ["ies", "y", "verb", "third-person"], ["es", "e", "verb", "third-person"], ["es", "", "verb", "third-person"],
  ["ed", "e", "verb", "past"], ["ed", "", "verb", "past"], ["ing", "e", "verb", "gerund"], ["ing", "", "verb", "gerund"],
  ["er", "", "adjective", "comparative"], ["est", "", "adjective", "superlative"], ["er", "e", "adjective", "comparative"], ["est", "e", "adjective", "superlative"],
];
const WORD = /^[a-z]{3,12}$/;

/**
 * Lists inflected forms with their only lemma.
 * Irregular ones are WordNet's exceptions; regular ones are words of the pronouncing dictionary, themselves no lemma,
 * from which WordNet's rules of detachment reach exactly one lemma. Both have 3 to 12 letters.
 */
export const inflections = once((): Inflection[] => {
  const found = new Map<string, Inflection[]>();
  const add = (entry: Inflection) => found.set(entry.form, [...(found.get(entry.form) ?? []), entry]);
  for (const { form, lemma, partOfSpeech } of wordnetExceptions()) {
    if (WORD.test(form) && WORD.test(lemma) && form !== lemma) add({ form, lemma, tag: tagOfException(form, partOfSpeech), exception: true });
  }
  const isLemma = (word: string) => (["noun", "verb", "adjective", "adverb"] as const).some((pos) => lemmas(pos).has(word));
  for (const { text: form } of cmudict()) {
    if (!WORD.test(form) || found.has(form) || isLemma(form)) continue;
    for (const [ending, put, partOfSpeech, tag] of DETACHMENT) {
      const lemma = form.slice(0, -ending.length) + put;
      if (form.endsWith(ending) && WORD.test(lemma) && lemmas(partOfSpeech).has(lemma)) add({ form, lemma, tag, exception: false });
    }
  }
  return [...found.values()].filter((entries) => new Set(entries.map((entry) => entry.lemma)).size === 1).map((entries) => entries[0]);
});

function tagOfException(form: string, partOfSpeech: "noun" | "verb" | "adjective"): Inflection["tag"] {
  if (partOfSpeech === "noun") return "plural";
  if (partOfSpeech === "adjective") return form.endsWith("st") ? "superlative" : "comparative";
  return form.endsWith("ing") ? "gerund" : "past";
}
