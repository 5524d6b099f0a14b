import { cmudict, phones } from "../../corpora/cmudict.js";
import { mobyDick } from "../../corpora/moby-dick.js";
import { once } from "../../corpora/once.js";
import { stateOfTheUnion } from "../../corpora/state-of-the-union.js";
import { typescriptLib } from "../../corpora/typescript-lib.js";
import { PARTS_OF_SPEECH, synsets } from "../../corpora/wordnet.js";
import { partOfProse } from "../novel-and-speeches.js";
import { type Parts, split } from "../split.js";

/** A text as a decoder reads it; texts with the same `document` are in the same part. */
export interface DomainText {
  id: string;
  document: string;
  text: string;
}

export const DOMAINS = ["speech", "novel", "dictionary", "code", "pronunciation"] as const;
export type Domain = (typeof DOMAINS)[number];

/**
 * Gives the texts of a domain, by part; the split is that of the other tasks.
 * `speech` and `novel` are whole speeches and chapters; a `dictionary` text is "abandon (verb): forsake, leave behind",
 * one of `code` a declaration of TypeScript's own types, one of `pronunciation` "c a t : K AE T".
 *
 * @example domainTexts("pronunciation").test[0].text
 */
export function domainTexts(domain: Domain): Parts<DomainText> {
  return readers[domain]();
}

const readers: Record<Domain, () => Parts<DomainText>> = {
  speech: once(() => split(stateOfTheUnion().map(prose), partOfProse)),
  novel: once(() => split(mobyDick().map(prose), partOfProse)),
  dictionary: once(() => split(definitions())),
  code: once(() => split(declarations())),
  pronunciation: once(() => split(pronunciations())),
};

/** Speeches and chapters are hard-wrapped here and there: one space for any white space within a paragraph. */
function prose({ id, text }: { id: string; text: string }): DomainText {
  return { id, document: id,
    text: text.split(/\s*\n\s*\n\s*/).map((paragraph) => paragraph.replace(/\s+/g, " ").trim()).filter(Boolean).join(
      "\n",
    ) };
}

/** One text for each synset, under its first word, examples left out. */
function definitions(): DomainText[] {
  return PARTS_OF_SPEECH.flatMap((partOfSpeech) =>
    [...synsets(partOfSpeech)].map(([id, { text, fields }]) => {
      const [lemma] = fields.words;
      return { id, document: lemma,
        text: `${lemma.replaceAll("_", " ")} (${partOfSpeech}): ${text.split(/[;"]/)[0].trim()}` };
    })
  );
}

/** Files declare the same things for pages and for workers: a name counts as one document, equal texts once. */
function declarations(): DomainText[] {
  const found = new Map<string, DomainText>();
  for (const { id: file, text } of typescriptLib()) {
    const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "").replace(/\r/g, "").replace(
      /\n\s*\n+/g,
      "\n",
    );
    for (const declaration of code.split(/^(?=(?:declare|interface|type|export)\b)/m)) {
      const name = declaration.match(
        /^(?:declare |export )*(?:interface|type|var|function|namespace|class|const|let) (\w+)/,
      )?.[1];
      if (name && !found.has(declaration))
        found.set(declaration, { id: `${file}#${found.size}`, document: name, text: declaration.trim() });
    }
  }
  return [...found.values()];
}

/** Words of 3 to 10 letters, stress left out. */
function pronunciations(): DomainText[] {
  return cmudict().filter(({ text }) => text.length >= 3 && text.length <= 10).map(({ id, text, fields }) => ({ id,
    document: text, text: `${[...text].join(" ")} : ${phones(fields.arpabet).join(" ")}` })
  );
}
