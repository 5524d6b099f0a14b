import { inflections } from "./inflections.js";
import { cut, split, type Parts } from "./split.js";
import { spelled } from "./symbols.js";
import type { Sizes } from "./task.js";

/** Builds `lemma`: the letters of an inflected form, answered by the letters of its lemma. */
export function formToLemma(sizes: Sizes): Parts {
  const items = inflections().map(({ form, lemma }) => ({ id: `lemma/${form}`, prompt: spelled(form), answer: spelled(lemma), document: lemma }));
  return cut(split(items), sizes);
}
