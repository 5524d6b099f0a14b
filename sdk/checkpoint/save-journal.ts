import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MoeError } from "../errors.js";
import { isRunning } from "../is-running.js";

const JOURNAL = "moelab-unfinished.json";

interface Entry {
  version: 1; /** says what is being written, from which weights */
  key: string;
  process: number;
  pieces: number;
  of: number;
}

/** Folders that this process is writing. */
const active = new Set<string>();

/**
 * How far a save has come, in the folder that it writes to: its first pieces, in the order that follows from its key,
 * are
 * on the disk. The folder holds this file from the first moment until it is whole, so that nothing takes it for a
 * model.
 */
export class SaveJournal {
  private constructor(private readonly folder: string, private readonly entry: Entry) {}

  /**
   * Begins, or goes on with what a save of the same key left behind; a folder of another one is emptied.
   *
   * @throws MoeError `being-written` when somebody is at it
   */
  static async open(folder: string, key: string, of: number): Promise<SaveJournal> {
    const left = await read(folder);
    if (active.has(folder) || (left && left.process !== process.pid && isRunning(left.process))) {
      throw new MoeError("being-written",
        `save: ${folder} is being written by process ${left?.process ?? process.pid}; accepted is one save `
          + "at a time. Wait for it, or stop it and save again.");
    }
    active.add(folder);
    const goesOn = left?.key === key && left.of === of;
    if (!goesOn) await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const journal = new SaveJournal(folder, { version: 1, key, process: process.pid, pieces: goesOn ? left.pieces : 0,
      of });
    await journal.write();
    return journal;
  }

  /** Pieces that are on the disk. */
  get pieces(): number {
    return this.entry.pieces;
  }

  /** Says that so many pieces are on the disk; they have been flushed. */
  async reached(pieces: number): Promise<void> {
    this.entry.pieces = pieces;
    await this.write();
  }

  /** The folder is whole. */
  async finish(): Promise<void> {
    await rm(join(this.folder, JOURNAL));
    active.delete(this.folder);
  }

  /** Keeps what is there for a later save, if it is worth it; then true. */
  async leave(keep: boolean): Promise<boolean> {
    active.delete(this.folder);
    if (keep && this.pieces > 0) return true;
    await rm(this.folder, { recursive: true, force: true });
    return false;
  }

  /** Renamed into place, so that the journal is never half-written itself. */
  private async write(): Promise<void> {
    const file = join(this.folder, JOURNAL);
    await writeFile(`${file}.part`, JSON.stringify(this.entry), { flush: true });
    await rename(`${file}.part`, file);
  }
}

/** Where a save writes until the folder is whole. */
export function unfinishedFolder(folder: string): string {
  return `${folder}.part`;
}

export function isJournal(name: string): boolean {
  return name.startsWith(JOURNAL);
}

/** @throws MoeError `half-written` for a folder that a save left behind */
export async function refuseHalfWritten(folder: string): Promise<void> {
  if (!existsSync(join(folder, JOURNAL))) return;
  const entry = await read(folder);
  throw new MoeError("half-written",
    `load: ${folder} was left half-written by a save that was cut `
      + `off${entry ? ` after ${entry.pieces} of ${entry.of} pieces` : ""}; accepted is a whole checkpoint. `
      + "Save the model again: it goes on from there.");
}

async function read(folder: string): Promise<Entry | undefined> {
  try {
    const entry = JSON.parse(await readFile(join(folder, JOURNAL), "utf8")) as Entry;
    return entry.version === 1 && Number.isInteger(entry.pieces) ? entry : undefined;
  } catch {
    return undefined;
  }
}
