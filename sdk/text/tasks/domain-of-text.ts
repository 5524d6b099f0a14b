import { cleanText } from "../clean-text.js";
import type { Document } from "../corpora/document.js";
import { typescriptLib } from "../corpora/typescript-lib.js";
import { synsets } from "../corpora/wordnet.js";
import { fragments } from "./fragments.js";
import { chapters, partOfProse, speeches } from "./novel-and-speeches.js";
import { balance, partOf, type Parts, partsOfDocuments, split } from "./split.js";
import { prose, symbol } from "./symbols.js";
import type { Item, Sizes } from "./task.js";

/**
 * Builds `domain`: some 48 characters, answered by where they are from: speech, novel, dictionary or code.
 * Split by speech, chapter, first word of the synset, file. A fragment that occurs twice (boilerplate of code) counts
 * once, where it is first.
 */
export function domainOfText(sizes: Sizes): Parts {
  const parts = partsOfDocuments(typescriptLib().map(({ id }) => id));
  const seen = new Set<string>();
  const items: Item[] = [];
  const add = (domain: string, { id, text }: Document<unknown>, count: number, document = id) => {
    fragments(text, 48, count).forEach((fragment, i) => {
      if (!seen.has(fragment))
        items.push({ id: `domain/${id}/${i}`, prompt: prose(fragment), answer: [symbol(domain)],
          document: `${domain}/${document}` });
      seen.add(fragment);
    });
  };
  for (const speech of speeches()) add("speech", speech, 40);
  for (const chapter of chapters()) add("novel", chapter, 60);
  for (const file of typescriptLib()) add("code", { ...file, text: cleanText(file.text) }, 300);
  for (const synset of synsets("noun").values()) {
    const [word] = synset.fields.words;
    if (/^[a-z]{3,12}$/.test(word))
      add("dictionary", { ...synset, text: cleanText(synset.text.split(/[;"]/)[0]) }, 1, word);
  }
  return balance(split(items, (document) => {
    const [domain, id] = document.split("/");
    return domain === "code" ? parts.get(id)! : domain === "dictionary" ? partOf(id) : partOfProse(id);
  }), sizes);
}
