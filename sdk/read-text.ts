import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { FormatError, MoeError } from "./errors.js";

/** Opening a pipe would wait for somebody who writes to it. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * The text of a small file, or undefined if there is none. A folder, pipe or device is refused before it is read.
 *
 * @param verb that begins the error, e.g. "plan"
 * @param accepted what the file should be
 * @throws MoeError `not-readable`; FormatError of the code for a file above maxBytes
 */
export async function readText(
  path: string,
  { verb, accepted, maxBytes, code }: { verb: string; accepted: string; maxBytes: number; code: string },
): Promise<string | undefined> {
  const refuse = (seen: string, cause?: unknown) =>
    new MoeError("not-readable", `${verb}: ${path} ${seen}; accepted is ${accepted}. Check the path.`, { cause });
  const file = await open(path, READ).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR") return undefined;
    throw refuse(`cannot be read (${cause.code})`, cause);
  });
  if (!file) return undefined;
  try {
    const found = await file.stat();
    if (!found.isFile()) throw refuse("is no file");
    if (found.size > maxBytes)
      throw new FormatError(code,
        `${verb}: ${path} has ${found.size} bytes; accepted are at most ${maxBytes}. Check the path.`);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}
