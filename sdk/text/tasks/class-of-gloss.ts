import { cleanText } from "../clean-text.js";
import { synsets } from "../corpora/wordnet.js";
import { fragments } from "./fragments.js";
import { nounClasses } from "./noun-classes.js";
import { balance, type Parts, split } from "./split.js";
import { prose, symbol } from "./symbols.js";
import type { Item, Sizes } from "./task.js";

/**
 * Builds `kind`: the first 48 characters of a noun's gloss, answered by one of twelve classes.
 * One item for each synset, under its first word, so that synonyms cannot carry a gloss across parts; glosses that
 * begin alike count once.
 */
export function classOfGloss(sizes: Sizes): Parts {
  const items = new Map<string, Item>();
  for (const [id, name] of nounClasses()) {
    const { text, fields } = synsets("noun").get(id)!;
    const [gloss] = fragments(cleanText(text.split(/[;"]/)[0]), 48, 1);
    if (gloss)
      items.set(gloss,
        items.get(gloss)
          ?? { id: `kind/${id}`, prompt: prose(gloss), answer: [symbol(name)], document: fields.words[0] });
  }
  return balance(split([...items.values()]), sizes);
}
