import { join } from "node:path";
import { parseJson } from "../parse-json.js";
import { readText } from "../read-text.js";
import { namesIn } from "./companion-files.js";

/**
 * What in a folder is not of a save of moelab, in half a sentence; undefined if all is. moelab.json names what a save
 * wrote.
 */
export async function foreignToSave(folder: string): Promise<string | undefined> {
  const there = await namesIn(folder).catch(() => undefined);
  if (!there) return "it is a file";
  if (there.length === 0) return undefined;
  let written: unknown;
  try {
    const text = await readText(join(folder, "moelab.json"), { verb: "save", accepted: "what a save wrote",
      maxBytes: 2 ** 30, code: "not-ours" });
    written = (parseJson(text ?? "{}") as { files?: unknown } | null)?.files;
  } catch {
    // then nothing says that it is ours
  }
  if (typeof written !== "object" || !written) return "no moelab.json in it says that moelab wrote it";
  const own = new Set(["moelab.json", ...Object.keys(written)]);
  const foreign = there.find((name) => !own.has(name));
  return foreign && `it holds ${foreign}, which moelab did not write`;
}
