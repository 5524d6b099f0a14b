import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";
import { open } from "node:fs/promises";
import { FormatError, MoeError } from "./errors.js";

/** Opening a pipe would wait for somebody who writes to it. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

export interface ReadTextOptions {
  /** begins the error, e.g. "plan" */
  verb: string;
  /** what the file should be */
  accepted: string;
  maxBytes: number;
  /** of the error for a file above maxBytes */
  code: string;
}

/**
 * The text of a small file, or undefined if there is none. A folder, pipe or device is refused before it is read.
 *
 * @throws MoeError `not-readable`; FormatError of the code for a file above maxBytes
 */
export async function readText(path: string, options: ReadTextOptions): Promise<string | undefined> {
  const file = await open(path, READ).catch((cause: unknown) => absent(path, options, cause));
  if (!file) return undefined;
  try {
    check(path, options, await file.stat());
    return await file.readFile("utf8");
  } catch (cause) {
    throw unreadable(path, options, cause);
  } finally {
    await file.close();
  }
}

/** The same at once. */
export function readTextSync(path: string, options: ReadTextOptions): string | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, READ);
    check(path, options, fstatSync(file));
    return readFileSync(file, "utf8");
  } catch (cause) {
    return absent(path, options, cause);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function check(path: string, options: ReadTextOptions, found: Stats): void {
  const { verb, maxBytes, code } = options;
  if (!found.isFile()) throw refuse(path, options, "is no file");
  if (found.size > maxBytes)
    throw new FormatError(code,
      `${verb}: ${path} has ${found.size} bytes; accepted are at most ${maxBytes}. Check the path.`);
}

function absent(path: string, options: ReadTextOptions, cause: unknown): undefined {
  if (["ENOENT", "ENOTDIR"].includes((cause as NodeJS.ErrnoException).code ?? "")) return undefined;
  throw unreadable(path, options, cause);
}

function unreadable(path: string, options: ReadTextOptions, cause: unknown): MoeError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return cause instanceof MoeError ? cause : refuse(path, options, `cannot be read (${code ?? message})`, cause);
}

function refuse(path: string, { verb, accepted }: ReadTextOptions, seen: string, cause?: unknown): MoeError {
  return new MoeError("not-readable", `${verb}: ${path} ${seen}; accepted is ${accepted}. Check the path.`, { cause });
}
