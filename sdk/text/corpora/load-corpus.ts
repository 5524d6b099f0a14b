import { MoeError, suggest } from "../../errors.js";
import { cmudict } from "./cmudict.js";
import type { Document } from "./document.js";
import { mnist } from "./mnist.js";
import { mobyDick } from "./moby-dick.js";
import { spamAssassin } from "./spam-assassin.js";
import { stateOfTheUnion } from "./state-of-the-union.js";
import { typescriptLib } from "./typescript-lib.js";
import { synsets } from "./wordnet.js";

const CORPORA: Record<string, () => Iterable<Document<unknown>>> = {
  "sotu": stateOfTheUnion,
  "moby-dick": mobyDick,
  "cmudict": cmudict,
  "wordnet-nouns": () => synsets("noun").values(),
  "wordnet-verbs": () => synsets("verb").values(),
  "wordnet-adjectives": () => synsets("adjective").values(),
  "wordnet-adverbs": () => synsets("adverb").values(),
  "typescript": typescriptLib,
  "spam-assassin": spamAssassin,
  "mnist": mnist,
};

/**
 * Gives the documents of a corpus one by one, read from its installed package and kept parsed for the next call.
 *
 * @throws MoeError `unknown-corpus`, with the nearest name; `missing-package`, with the command that installs it
 * @example for (const { id, text } of loadCorpus("moby-dick")) console.log(id, text.length)
 */
export function loadCorpus(name: string): Iterable<Document<unknown>> {
  if (!Object.hasOwn(CORPORA, name))
    throw new MoeError("unknown-corpus", `read corpus: there is no corpus "${name}". ${suggest(name, listCorpora())}`);
  return CORPORA[name]();
}

export function listCorpora(): string[] {
  return Object.keys(CORPORA);
}
