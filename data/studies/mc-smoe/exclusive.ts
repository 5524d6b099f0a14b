import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { isRunning } from "../../../sdk/is-running.js";

/**
 * Runs a job unless another process on this machine does it now. `wait`: until that one is done, then runs (jobs look
 * first whether there is anything left to do); otherwise gives false at once. A lock of a process that is gone is void.
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

async function taken(lock: string): Promise<boolean> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      await writeFile(lock, String(process.pid), { flag: "wx" });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const owner = Number(await readFile(lock, "utf8").catch(() => "0"));
    if (owner > 0 && isRunning(owner)) return false;
    await rm(lock, { force: true });
  }
  return false;
}
