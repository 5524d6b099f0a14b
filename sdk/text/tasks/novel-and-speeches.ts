import type { Document } from "../corpora/document.js";
import { mobyDick } from "../corpora/moby-dick.js";
import { once } from "../corpora/once.js";
import { stateOfTheUnion } from "../corpora/state-of-the-union.js";
import { partsOfDocuments } from "./split.js";
import type { Part } from "./task.js";

/** The prose that tasks are cut from: speeches by year, then chapters of the novel. */
export const novelAndSpeeches = once((): Document[] => [...stateOfTheUnion(), ...mobyDick()] as unknown as Document[]);

const parts = once((): Map<string, Part> =>
  new Map([...partsOfDocuments(stateOfTheUnion().map(({ id }) => id)), ...partsOfDocuments(mobyDick().map(({ id }) => id))]),
);

/** The part of a speech or chapter, the same for every task. */
export const partOfProse = (document: string): Part => parts().get(document)!;
