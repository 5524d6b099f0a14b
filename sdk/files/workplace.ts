import { existsSync } from "node:fs";
import { mkdir, readdir, realpath, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { MoeError } from "../errors.js";
import { cannotWrite } from "./cannot-write.js";
import { isLock, lockFolder } from "./exclusive-lock.js";

/** The folder with this file is ours. It says how far the work in it is, if the work can go on after a crash. */
export const UNFINISHED = "moelab-unfinished.json";

/**
 * `FOLDER.moelab-part`: where one process at a time makes a folder that then takes its place by one rename. A folder
 * that it replaces waits in here until then, so whatever a crash leaves, either the old or the new one is whole, and
 * `recovered` finds it again. Nothing without our mark is ever removed.
 */
export class Workplace {
  private constructor(
    /** what is made, with all links followed */
    readonly target: string,
    private readonly about: WorkplaceOptions,
    private readonly unlock: () => Promise<void>,
  ) {}

  /** @throws MoeError `being-written`, `not-ours`, `cannot-write` */
  static async open(folder: string, about: WorkplaceOptions): Promise<Workplace> {
    const target = await realpath(folder).catch(() => resolve(folder));
    const work = new Workplace(target, about, await lockFolder(partOf(target), about.verb));
    try {
      const there = (await readdir(work.folder)).filter((name) => !isLock(name));
      if (there.length > 0 && !there.some((name) => name.startsWith(UNFINISHED)))
        throw new MoeError("not-ours",
          `${about.verb}: ${work.folder} is there and holds ${there[0]}, which is not of an earlier ${about.verb}; `
            + "accepted is a place that is free. Move it away, or give another folder.");
      if (!existsSync(join(work.folder, UNFINISHED))) await writeFile(join(work.folder, UNFINISHED), "{}");
      await restoreOld(target);
      return work;
    } catch (error) {
      await work.unlock();
      await rmdir(work.folder).catch(() => undefined);
      throw cannotWrite(about.verb, work.folder, error);
    }
  }

  /** Where the work is done. */
  get folder(): string {
    return partOf(this.target);
  }

  /** The folder that is made: it is there when the caller has made it. */
  get next(): string {
    return join(this.folder, "new");
  }

  /** Puts what was made in its place. @throws MoeError `not-ours` for a folder there that is not one of ours */
  async takePlace(): Promise<void> {
    const { target, next } = this;
    if (existsSync(target)) {
      await this.requireOurs();
      await rename(target, oldOf(target));
    }
    await mkdir(dirname(target), { recursive: true });
    await rename(next, target).catch(async (error: unknown) => {
      await restoreOld(target);
      throw cannotWrite(this.about.verb, target, error);
    });
    await rm(oldOf(target), { recursive: true, force: true });
  }

  /** @throws MoeError `not-ours` when the folder is there and may not be replaced */
  async requireOurs(): Promise<void> {
    const foreign = existsSync(this.target) && (await this.about.foreign(this.target));
    if (foreign)
      throw new MoeError("not-ours",
        `${this.about.verb}: ${this.target} would be replaced, but ${foreign}; accepted is what an earlier `
          + `${this.about.verb} wrote and nothing else. Move what is yours away, or give another folder.`);
  }

  /** Lets others have the place. @param keep what was made so far stays for the next try */
  async close(keep = false): Promise<void> {
    const { folder } = this;
    if (!keep) {
      const mine = (await readdir(folder)).filter((name) => !isLock(name) && name !== "old");
      // the mark goes last
      for (const name of [...mine.filter((each) => each !== UNFINISHED), UNFINISHED])
        await rm(join(folder, name), { recursive: true, force: true });
    }
    await this.unlock();
    await rmdir(folder).catch(() => undefined); // others may wait in it
  }
}

export interface WorkplaceOptions {
  /** who works, for errors */
  verb: string;
  /** says in half a sentence what in a folder is not ours, e.g. "it holds thesis.tex"; undefined if all is */
  foreign(folder: string): Promise<string | undefined>;
}

/** Puts back a folder that a killed process had moved away and not yet replaced. */
export async function recovered(folder: string): Promise<void> {
  const target = resolve(folder);
  if (existsSync(target) || !existsSync(oldOf(target)) || !existsSync(join(partOf(target), UNFINISHED))) return;
  const unlock = await lockFolder(partOf(target), "load");
  try {
    await restoreOld(target);
  } finally {
    await unlock();
  }
}

/** Whether a folder is one that is being made, or was left half-made; then that of the work. */
export function workOf(folder: string): string | undefined {
  const path = resolve(folder);
  return [path, basename(path) === "new" ? dirname(path) : ""].find((each) => existsSync(join(each, UNFINISHED)));
}

async function restoreOld(target: string): Promise<void> {
  const old = oldOf(target);
  if (!existsSync(old)) return;
  if (existsSync(target)) await rm(old, { recursive: true, force: true });
  else await rename(old, target);
}

function partOf(target: string): string {
  return `${target}.moelab-part`;
}

function oldOf(target: string): string {
  return join(partOf(target), "old");
}
