import { lemmas } from "../corpora/wordnet.js";
import { nounClasses } from "./noun-classes.js";
import { balance, type Parts, split } from "./split.js";
import { spelled, symbol } from "./symbols.js";
import type { Item, Sizes } from "./task.js";

/** Builds `name`: the letters of a noun, answered by the class of its most frequent sense, one of twelve. */
export function classOfName(sizes: Sizes): Parts {
  const items: Item[] = [];
  for (const [lemma, [first]] of lemmas("noun")) {
    const name = nounClasses().get(first);
    if (name && /^[a-z]{3,12}$/.test(lemma))
      items.push({ id: `name/${lemma}`, prompt: spelled(lemma), answer: [symbol(name)], document: lemma });
  }
  return balance(split(items), sizes);
}
