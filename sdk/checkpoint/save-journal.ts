import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { MoeError } from "../errors.js";
import { UNFINISHED, workOf, Workplace } from "../files/workplace.js";
import { parseJson } from "../parse-json.js";
import { foreignToSave } from "./saved-files.js";

interface SaveToOpen {
  key: string;
  /** pieces of the whole */
  of: number;
  overwrite?: boolean;
}

const pieces = v.pipe(v.number(), v.integer(), v.minValue(0));
const Entry = v.object({ version: v.literal(2), /** says what is being written, from which weights */ key: v.string(),
  pieces, of: pieces });

/**
 * How far a save has come: its first pieces, in the order that follows from its key, are on the disk. The workplace
 * holds this file from the first moment until the folder is whole and in its place, so that nothing takes what is there
 * for a model.
 */
export class SaveJournal {
  private constructor(readonly work: Workplace, private readonly entry: v.InferOutput<typeof Entry>) {}

  /**
   * Begins, or goes on with what a save of the same key left behind; what one of another key left is removed.
   *
   * @throws MoeError `folder-exists`, `being-written`, `not-ours`, `cannot-write`
   */
  static async open(folder: string, { key, of, overwrite }: SaveToOpen): Promise<SaveJournal> {
    const work = await Workplace.open(folder, { verb: "save", foreign: foreignToSave });
    try {
      if (existsSync(work.target) && !overwrite)
        throw new MoeError("folder-exists",
          `save: ${folder} is already there; accepted is a new folder. Give another, or say { overwrite: true }.`);
      await work.requireOurs();
      const left = await read(work.folder);
      const goesOn = left?.key === key && left.of === of && existsSync(work.next);
      const journal = new SaveJournal(work, { version: 2, key, pieces: goesOn ? left.pieces : 0, of });
      if (!goesOn) await rm(work.next, { recursive: true, force: true });
      await mkdir(work.next, { recursive: true });
      await journal.write();
      return journal;
    } catch (error) {
      await work.close();
      throw error;
    }
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

  /** The folder is whole, and takes its place. */
  async finish(): Promise<void> {
    await this.work.takePlace();
    await this.work.close();
  }

  /** Keeps what is there for a later save, if it is worth it; then true. */
  async leave(keep: boolean): Promise<boolean> {
    const worth = keep && this.pieces > 0;
    await this.work.close(worth);
    return worth;
  }

  /** Renamed into place, so that the journal is never half-written itself. */
  private async write(): Promise<void> {
    const file = join(this.work.folder, UNFINISHED);
    await writeFile(`${file}.part`, JSON.stringify(this.entry), { flush: true });
    await rename(`${file}.part`, file);
  }
}

/** @throws MoeError `half-written` for a folder that a save left behind */
export async function refuseHalfWritten(folder: string): Promise<void> {
  const work = workOf(folder);
  if (!work) return;
  const entry = await read(work);
  throw new MoeError("half-written",
    `load: ${folder} was left half-written by a save that was cut `
      + `off${entry ? ` after ${entry.pieces} of ${entry.of} pieces` : ""}; accepted is a whole checkpoint. `
      + "Save the model again: it goes on from there.");
}

async function read(folder: string): Promise<v.InferOutput<typeof Entry> | undefined> {
  try {
    return v.parse(Entry, parseJson(await readFile(join(folder, UNFINISHED), "utf8")));
  } catch {
    return undefined;
  }
}
