import { randomUUID } from "node:crypto";
import { copyFile, mkdir, readFile, rename, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { writeWhole } from "../../files/write-whole.js";
import { openIndex } from "../safetensors-index.js";
import type { ModelId } from "./model-id.js";

/**
 * One model in the standard cache, which Python's tools share:
 * refs/REVISION holds a commit, blobs/HASH a file's content, snapshots/COMMIT/PATH links to a blob.
 */
export class ModelCache {
  private readonly folder: string;

  constructor(cache: string, { name }: Pick<ModelId, "name">) {
    this.folder = join(cache, `models--${name.replaceAll("/", "--")}`);
  }

  /** The commit that a revision stood for when it was last fetched. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const commit = await readFile(join(this.folder, "refs", revision), "utf8").then((text) => text.trim(),
      () => undefined);
    return commit !== undefined && isCommit(commit) ? commit : undefined;
  }

  async setRef(revision: string, commit: string): Promise<void> {
    if (isCommit(revision) || (await this.commitOf(revision)) === commit) return;
    const ref = join(this.folder, "refs", revision);
    await mkdir(dirname(ref), { recursive: true });
    await writeWhole(ref, commit, { verb: "load", replaces: (text) => isCommit(text.trim()) });
  }

  snapshot(commit: string): string {
    return join(this.folder, "snapshots", commit);
  }

  blob(hash: string): string {
    return join(this.folder, "blobs", hash);
  }

  /** Puts a blob into a snapshot; a copy where the file system has no links. */
  async link(commit: string, path: string, hash: string): Promise<void> {
    const pointer = join(this.snapshot(commit), path);
    await mkdir(dirname(pointer), { recursive: true });
    const part = `${pointer}.${randomUUID()}.part`;
    await symlink(relative(dirname(pointer), this.blob(hash)), part).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPERM" && error.code !== "ENOTSUP") throw error;
      await copyFile(this.blob(hash), part);
    });
    await rename(part, pointer);
  }
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** Whether a folder has a configuration and all its weights. An index that can not be read counts as no. */
export async function isComplete(folder: string): Promise<boolean> {
  if (!(await isFile(join(folder, "config.json")))) return false;
  if (await isFile(join(folder, "model.safetensors"))) return true;
  const shards = await shardsOf(folder).catch(() => []);
  if (shards.length === 0) return false;
  return (await Promise.all(shards.map((shard) => isFile(join(folder, shard))))).every(Boolean);
}

/** The weight files that a folder's index names; none without an index. */
export async function shardsOf(folder: string): Promise<string[]> {
  const index = join(folder, "model.safetensors.index.json");
  if (!(await isFile(index))) return [];
  const shards = new Set<string>();
  for (const [, shard] of (await openIndex(index)).tensors) shards.add(shard);
  return [...shards];
}

/** Follows links: a link to a blob that is not there is no file. */
export async function isFile(path: string): Promise<boolean> {
  return stat(path).then((found) => found.isFile(), () => false);
}
