import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * What in a folder is not of a save of moelab, in half a sentence; undefined if all is. moelab.json names what a save
 * wrote.
 */
export async function foreignToSave(folder: string): Promise<string | undefined> {
  const there = await readdir(folder).catch(() => undefined);
  if (!there) return "it is a file";
  if (there.length === 0) return undefined;
  let written: unknown;
  try {
    written = JSON.parse(await readFile(join(folder, "moelab.json"), "utf8")).files;
  } catch {
    // then nothing says that it is ours
  }
  if (typeof written !== "object" || !written) return "no moelab.json in it says that moelab wrote it";
  const own = new Set(["moelab.json", ...Object.keys(written)]);
  const foreign = there.find((name) => !own.has(name));
  return foreign && `it holds ${foreign}, which moelab did not write`;
}
