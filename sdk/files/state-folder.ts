import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { FormatError, MoeError } from "../errors.js";
import { parseJson } from "../parse-json.js";
import { parsed } from "../parsed.js";
import { cannotWrite } from "./cannot-write.js";
import { lockFolder } from "./exclusive-lock.js";
import { writeWhole } from "./write-whole.js";

const Hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "a SHA-256 is accepted"));

interface Snapshot<T> {
  data: T;
  /** by the names that the caller gives */
  files: Record<string, { file: string; sha256: string }>;
}

/**
 * What a long job needs to go on, in a folder that may hold anything else: files named `moelab-KIND.*`, and no other is
 * ever read, replaced or removed. `moelab-KIND.json` names the files of the last whole state with their hashes, beside
 * the key of all that the state depends on. A new state is there once that file is renamed into place, the files of the
 * one before go afterwards; what a killed process left half-way goes when the folder is opened again. One process at a
 * time has the folder open.
 */
export class StateFolder<T> {
  private constructor(
    readonly folder: string,
    private readonly about: { verb: string; kind: string; key: string },
    private readonly unlock: () => Promise<void>,
    private last?: Snapshot<T>,
  ) {}

  /**
   * @param key everything that the state depends on, as JSON would have it
   * @param schema of the state's own data
   * @throws MoeError `state-of-another-run`, `being-written`, `cannot-write`; FormatError `bad-state`
   */
  static async open<S extends v.GenericSchema>(
    folder: string,
    { verb, kind, key, schema }: { verb: string; kind: string; key: unknown; schema: S },
  ): Promise<StateFolder<v.InferOutput<S>>> {
    const about = { verb, kind, key: sha256(JSON.stringify(key)) };
    const unlock = await lockFolder(folder, verb);
    try {
      const opened = new StateFolder<v.InferOutput<S>>(folder, about, unlock);
      opened.last = await opened.read(schema);
      await opened.tidy();
      return opened;
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  /** The data of the state that was found or written last; undefined for none. */
  get data(): T | undefined {
    return this.last?.data;
  }

  /** Path of a file of that state. */
  file(name: string): string | undefined {
    const found = this.last?.files[name];
    return found && join(this.folder, found.file);
  }

  /**
   * Writes the next state.
   * @param files what writes each file, by its name with the extension; `true` keeps that of the state before
   */
  async replace(data: T, files: Record<string, true | ((path: string) => Promise<void>)>): Promise<void> {
    const { verb, kind, key } = this.about;
    try {
      const next: Snapshot<T> = { data, files: {} };
      for (const [name, write] of Object.entries(files)) {
        if (write === true) next.files[name] = this.last!.files[name];
        else {
          const file = `moelab-${kind}.${randomUUID()}${/\.\w+$/.exec(name)?.[0] ?? ""}`;
          await write(join(this.folder, file));
          next.files[name] = { file, sha256: await hashOf(join(this.folder, file)) };
        }
      }
      const text = JSON.stringify({ key, ...next });
      const whole = JSON.stringify({ sha256: sha256(text), ...JSON.parse(text) });
      await writeWhole(this.index, whole, { verb, replaces: "{\"sha256\":\"" });
      this.last = next;
    } catch (error) {
      throw cannotWrite(verb, this.folder, error);
    } finally {
      await this.tidy().catch(() => undefined);
    }
  }

  /** Lets others have the folder. */
  async close(): Promise<void> {
    await this.unlock();
  }

  private get index(): string {
    return join(this.folder, `moelab-${this.about.kind}.json`);
  }

  private async read<S extends v.GenericSchema>(schema: S): Promise<Snapshot<v.InferOutput<S>> | undefined> {
    const text = await readFile(this.index, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw this.bad(`it cannot be read (${error.code}).`);
    });
    if (text === undefined) return undefined;
    const { verb, kind, key } = this.about;
    const own = new RegExp(`^moelab-${kind}\\.[0-9a-f-]{36}(\\.\\w+)?$`);
    const State = v.object({ sha256: Hash, key: Hash, data: schema,
      files: v.record(v.string(),
        v.object({ file: v.pipe(v.string(), v.regex(own, "the name of a file of this folder is accepted")),
          sha256: Hash })) });
    const json = attempt(() => parseJson(text)) as { sha256?: string } | undefined;
    const state = parsed(State, json, (why) => this.bad(why)) as { key: string } & Snapshot<unknown>;
    const { sha256: said, ...hashed } = json!;
    if (said !== sha256(JSON.stringify(hashed)))
      throw this.bad("its SHA-256 is another, so it was changed after it was written.");
    if (state.key !== key)
      throw new MoeError("state-of-another-run",
        `${verb}: ${this.folder} holds the state of a run with another model, other data or other options; accepted is `
          + `a folder of this very run, or a new one. Give another folder, or remove ${this.index}.`);
    for (const { file, sha256: hash } of Object.values(state.files))
      if ((await hashOf(join(this.folder, file)).catch(() => undefined)) !== hash)
        throw this.bad(`${file} is missing, or was changed after it was written.`);
    return state as Snapshot<v.InferOutput<S>>;
  }

  /** Removes files of ours that the state does not name. */
  private async tidy(): Promise<void> {
    const named = new Set(Object.values(this.last?.files ?? {}).map(({ file }) => file));
    const { kind } = this.about;
    const own = new RegExp(
      `^(moelab-${kind}\\.[0-9a-f]{8}-[0-9a-f-]{27}(\\.\\w+)*|\\.moelab-${kind}\\.json\\.moelab-part-.*)$`,
    );
    for (const name of await readdir(this.folder))
      if (own.test(name) && !named.has(name)) await rm(join(this.folder, name), { force: true });
  }

  private bad(why: string): FormatError {
    return new FormatError("bad-state",
      `${this.about.verb}: ${this.index} is no whole state: ${why} Remove that file, or give another folder.`);
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

async function hashOf(file: string): Promise<string> {
  if (!(await stat(file)).isFile()) throw new Error(`${file} is no file`);
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(file)) hash.update(bytes as Buffer);
  return hash.digest("hex");
}

function attempt(parse: () => unknown): unknown {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
