import { link, open, readdir, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MoeError } from "../errors.js";
import { cannotWrite } from "./cannot-write.js";
import { isAbandoned, nameOfOwn } from "./exclusive-lock.js";

export interface WriteWholeOptions {
  /** who writes, for errors */
  verb: string;
  /** what a file of this kind begins with, or a test of the first 4096 characters: only such a file is replaced */
  replaces: string | ((beginning: string) => boolean);
}

/**
 * Writes a file whole or not at all: it has a name that nobody else gives until one rename puts it into its place.
 * What a process that was killed left under such a name goes with the next write.
 * A file that is there already is replaced only if it is one of ours.
 *
 * @throws MoeError `not-ours`, `cannot-write`, `disk-full`
 */
export async function writeWhole(given: string, text: string, options: WriteWholeOptions): Promise<void> {
  const { verb, replaces } = options;
  const path = await realpath(given).catch(() => given); // a link stays one
  const prefix = `.${basename(path)}.moelab-part`, folder = dirname(path);
  const part = join(folder, await nameOfOwn(prefix));
  try {
    for (const name of await readdir(folder))
      if (name.startsWith(prefix) && (await isAbandoned(name))) await rm(join(folder, name), { force: true });
    const there = await beginningOf(path);
    const ours = typeof replaces === "string" ? there?.startsWith(replaces) : there !== undefined && replaces(there);
    if (there !== undefined && there !== "" && !ours) throw notOurs(verb, path);
    await writeFile(part, text, { flag: "wx", flush: true });
    if (there !== undefined) return await rename(part, path);
    // a link, unlike a rename, never replaces what came meanwhile
    const failed = await link(part, path).then(() => undefined, (error: NodeJS.ErrnoException) => error.code);
    if (failed === "EEXIST") await writeWhole(path, text, options);
    else if (failed) await rename(part, path); // no links on this file system
  } catch (error) {
    throw cannotWrite(verb, path, error);
  } finally {
    await rm(part, { force: true }).catch(() => undefined);
  }
}

/** @returns its first 4096 characters; undefined where nothing is */
async function beginningOf(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return undefined;
  if (found.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
  if (!found.isFile()) return "a pipe or a device";
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}

function notOurs(verb: string, path: string): MoeError {
  return new MoeError("not-ours",
    `${verb}: ${path} is there and is no file that this would write; accepted is a new name, or a file of the same `
      + "kind to replace. Give another name, or move the file away.");
}
