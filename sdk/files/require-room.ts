import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { MoeError } from "../errors.js";

/**
 * Says before an hour of work, not after, that a disk has no room for what comes of it.
 *
 * @param path what is written, there or not yet
 * @throws MoeError `disk-full`
 */
export async function requireRoom(
  path: string,
  sizeBytes: number,
  { verb, otherwise = "choose another place" }: { verb: string; otherwise?: string },
): Promise<void> {
  let folder = resolve(path);
  let found = await statfs(folder).catch(() => undefined);
  for (; !found && folder !== dirname(folder); found = await statfs(folder).catch(() => undefined))
    folder = dirname(folder);
  if (!found || sizeBytes <= found.bavail * found.bsize) return;
  throw new MoeError("disk-full",
    `${verb}: ${path} needs ${sizeBytes} more bytes and its disk has ${found.bavail * found.bsize}; accepted is room `
      + `for all of it. Free some space, or ${otherwise}.`);
}
