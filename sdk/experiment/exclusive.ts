import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { isRunning } from "../is-running.js";

/**
 * Runs a job unless another process on this machine does it now. `wait`: until that one is done, then runs (jobs look
 * first whether there is anything left to do); otherwise gives false at once. A lock of a process that is gone is void.
 *
 * @param lock path of the file that stands for the job while it runs
 * @returns whether the job ran
 */
export async function exclusively(lock: string, job: () => Promise<void>, { wait = false } = {}): Promise<boolean> {
  await mkdir(dirname(lock), { recursive: true });
  while (!(await taken(lock))) {
    if (!wait) return false;
    await pause(2000);
  }
  try {
    await job();
    return true;
  } finally {
    await rm(lock, { force: true });
  }
}

/** The number of the process that holds a lock; undefined when nobody does. */
export async function holder(lock: string): Promise<number | undefined> {
  const owner = Number(await readFile(lock, "utf8").catch(() => "0"));
  return owner > 0 && isRunning(owner) ? owner : undefined;
}

async function taken(lock: string): Promise<boolean> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      await writeFile(lock, String(process.pid), { flag: "wx" });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (await holder(lock)) return false;
    // moved, not removed: of two that find it void one succeeds, and cannot take away the new lock of the other
    const void_ = `${lock}.${randomUUID()}`;
    await rename(lock, void_).catch(() => undefined);
    const moved = Number(await readFile(void_, "utf8").catch(() => "0"));
    if (moved > 0 && isRunning(moved)) await rename(void_, lock);
    else await rm(void_, { force: true });
  }
  return false;
}
