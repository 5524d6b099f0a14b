import { inflections } from "./inflections.js";
import { cut, split, type Parts } from "./split.js";
import { spelled } from "./symbols.js";
import type { Sizes } from "./task.js";

/** Builds `lemma`: the letters of an inflected form, answered by the letters of its lemma. */
export function formToLemma(sizes: Sizes): Parts {
  const pairs = inflections().map(({ form, lemma }) => ({ id: `lemma/${form}`, document: lemma, form }));
  return cut(split(pairs), sizes, ({ form, ...pair }) => ({ ...pair, prompt: spelled(form), answer: spelled(pair.document) }));
}
