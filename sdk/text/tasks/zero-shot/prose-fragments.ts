import { spread } from "../spread.js";
import { domainTexts } from "./domain-texts.js";

/** Words in a row from within a paragraph of a held-out speech or chapter. */
export interface ProseFragment {
  id: string;
  domain: "speech" | "novel";
  words: string[];
}

/**
 * Gives `count` fragments of `length` words, half of them speeches, from as many documents as there are; a word has no
 * digit.
 */
export function proseFragments(length: number, count: number): ProseFragment[] {
  return (["speech", "novel"] as const).flatMap((domain) => {
    const found = domainTexts(domain).test.flatMap(({ id, text }) => {
      const ofDocument: ProseFragment[] = [];
      for (const paragraph of text.split("\n")) {
        const words = paragraph.split(" ");
        for (let start = 0; start + length <= words.length; start += length) {
          const part = words.slice(start, start + length);
          if (!/\d/.test(part.join(""))) ofDocument.push({ id: `${id}/${ofDocument.length}`, domain, words: part });
        }
      }
      return ofDocument;
    });
    return spread(found, Math.ceil(count / 2));
  }).slice(0, count);
}
