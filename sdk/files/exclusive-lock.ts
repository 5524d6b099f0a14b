import { createHash, randomInt, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { MoeError } from "../errors.js";
import { cannotWrite } from "./cannot-write.js";

const OWNER = /-(\d+)-(\d*)-([0-9a-f]{8})-[0-9a-f-]{36}$/;
const LOCK = new RegExp(`^\\.moelab-lock${OWNER.source}`);
const HOST = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
/** Whether a process of another machine lives cannot be seen; it touches its lock every minute. */
const SILENT_MS = 10 * 60_000;
/** A lock that is only tried, or held for a moment, is waited for. */
const PATIENCE_MS = 1000;

/** Folders that this process holds. */
const held = new Set<string>();

/**
 * Makes this process the one writer of a folder, until the answer is called or the process ends, however it ends.
 * The folder is made if it is not there. Everybody first puts down a file of a name of its own and then looks for those
 * of others: of two at the same time at least one sees the other and steps back.
 *
 * @param verb who asks, for errors
 * @throws MoeError `being-written`, `cannot-write`
 * @example const unlock = await lockFolder("out", "save"); try { … } finally { await unlock(); }
 */
export async function lockFolder(folder: string, verb: string): Promise<() => Promise<void>> {
  const path = resolve(folder);
  if (held.has(path)) throw beingWritten(verb, path, `this process (${process.pid})`);
  held.add(path);
  try {
    const name = await nameOfOwn(".moelab-lock");
    const own = join(path, name);
    for (const until = Date.now() + PATIENCE_MS;;) {
      await makeFolder(path);
      const made = await writeFile(own, "", { flag: "wx" }).then(() => true, (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return false; // another one was done and has just removed the folder
        throw error;
      });
      const other = made && (await otherWriter(path, name));
      if (made && !other) {
        const beat = setInterval(() => void utimes(own, new Date(), new Date()).catch(() => undefined), 60_000).unref();
        return async () => {
          clearInterval(beat);
          await rm(own, { force: true });
          held.delete(path);
        };
      }
      await rm(own, { force: true });
      if (Date.now() > until) throw beingWritten(verb, path, other || "others");
      await pause(randomInt(10, 70)); // so that two do not keep step
    }
  } catch (error) {
    held.delete(path);
    throw cannotWrite(verb, path, error);
  }
}

/** As `mkdir` with `recursive`, which Node 20 never ends where the system makes no folders, such as /proc. */
async function makeFolder(path: string): Promise<void> {
  const code = await mkdir(path).then(() => "", (error: NodeJS.ErrnoException) => error.code);
  if (!code || (code === "EEXIST" && (await stat(path)).isDirectory())) return;
  if (code === "ENOENT") await makeFolder(dirname(path));
  await mkdir(path);
}

/** `PREFIX-PROCESS-START-HOST-UUID`: no two files ever have the same name, so removing that of a dead one is safe. */
export async function nameOfOwn(prefix: string): Promise<string> {
  return `${prefix}-${process.pid}-${await startOf(process.pid)}-${HOST}-${randomUUID()}`;
}

/** Whether a name of that form is of a process of this machine that is gone. */
export async function isAbandoned(name: string): Promise<boolean> {
  const [, pid, start, host] = OWNER.exec(name) ?? [];
  return host === HOST && (await startOf(Number(pid))) !== start;
}

/** Whether a name is that of a lock. */
export function isLock(name: string): boolean {
  return LOCK.test(name);
}

/** The number of the process that holds a folder; undefined when nobody does. */
export async function lockHolder(folder: string): Promise<number | undefined> {
  for (const name of await readdir(folder).catch(() => [])) {
    const [, pid, start, host] = LOCK.exec(name) ?? [];
    if (pid && (host !== HOST || (await startOf(Number(pid))) === start)) return Number(pid);
  }
  return undefined;
}

async function otherWriter(folder: string, own: string): Promise<string | undefined> {
  for (const name of await readdir(folder)) {
    const [, pid, start, host] = LOCK.exec(name) ?? [];
    if (!pid || name === own) continue;
    const file = join(folder, name);
    if (host === HOST) {
      if ((await startOf(Number(pid))) === start) return `process ${pid}`;
    } else {
      // both times are of the same file system, whatever the clocks of the machines say
      const [theirs, ours] = await Promise.all(
        [file, join(folder, own)].map((each) => stat(each).catch(() => undefined)),
      );
      if (theirs && ours && theirs.mtimeMs > ours.mtimeMs - SILENT_MS)
        return `process ${pid} of another machine (if it is gone: for 10 minutes, or until ${file} is removed)`;
    }
    await rm(file, { force: true }); // of a process that is gone
  }
  return undefined;
}

/** When a process began, as the system counts, "" where it does not say; undefined for one that is gone. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const [state, ...more] = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ").at(-1)!.split(" ");
    return /[ZX]/.test(state) ? undefined : more[18];
  } catch {
    if (process.platform === "linux" && pid !== process.pid && (await stat("/proc/self/stat").catch(() => undefined)))
      return undefined;
  }
  try {
    process.kill(pid, 0);
    return "";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM" ? "" : undefined; // somebody else's
  }
}

function beingWritten(verb: string, folder: string, by: string): MoeError {
  return new MoeError("being-written",
    `${verb}: ${folder} is being written by ${by}; accepted is one writer at a time. Wait for it, or stop it and try `
      + "again.");
}
