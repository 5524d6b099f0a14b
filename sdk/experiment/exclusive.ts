import { rmdir } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { MoeError } from "../errors.js";
import { lockFolder, lockHolder as holder } from "../files/exclusive-lock.js";

export { holder };

/**
 * Runs a job unless another process does it now. `wait`: until that one is done, then runs (jobs look first whether
 * there is anything left to do); otherwise gives false at once.
 *
 * @param lock path of the folder that stands for the job while it runs
 * @returns whether the job ran
 */
export async function exclusively(lock: string, job: () => Promise<void>, { wait = false } = {}): Promise<boolean> {
  for (;;) {
    const unlock = await lockFolder(lock, "study").catch((error: unknown) => {
      if (!(error instanceof MoeError && error.code === "being-written")) throw error;
    });
    try {
      if (unlock) return await job().then(() => true);
    } finally {
      await unlock?.();
      await rmdir(lock).catch(() => undefined); // others may wait in it
    }
    if (!wait) return false;
    await pause(2000);
  }
}
