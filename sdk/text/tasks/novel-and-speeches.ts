import { cleanText } from "../clean-text.js";
import type { Document } from "../corpora/document.js";
import { mobyDick } from "../corpora/moby-dick.js";
import { once } from "../corpora/once.js";
import { stateOfTheUnion } from "../corpora/state-of-the-union.js";
import { partsOfDocuments } from "./split.js";
import type { Part } from "./task.js";

const clean = <F>(documents: Document<F>[]): Document<F>[] =>
  documents.map((each) => ({ ...each, text: cleanText(each.text) }));

/** The speeches by year, in the alphabet of the prose tasks. */
export const speeches = once(() => clean(stateOfTheUnion()));

/** The chapters of the novel, in the alphabet of the prose tasks. */
export const chapters = once(() => clean(mobyDick()));

const parts = once((): Map<string, Part> =>
  new Map([stateOfTheUnion(), mobyDick()].flatMap((documents) => [...partsOfDocuments(documents.map(({ id }) => id))]))
);

/** The part of a speech or chapter, the same for every task. */
export const partOfProse = (document: string): Part => parts().get(document)!;
