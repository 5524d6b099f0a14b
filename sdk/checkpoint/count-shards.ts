import { join } from "node:path";
import { MoeError } from "../errors.js";
import type { ByteFile } from "./byte-file.js";
import { NameKinds } from "./name-kinds.js";
import { NameSum } from "./name-sum.js";
import { readHeader } from "./plain-checkpoint.js";
import { PlainHeaders } from "./plain-header.js";
import type { TensorGroup } from "./tensor-summary.js";

/** Shards that several threads count together. */
export interface ShardJob {
  folder: string;
  files: string[];
  /** number of the next file to be counted, shared by all */
  next: Int32Array;
  seed: number;
}

export interface CountedShards {
  groups: TensorGroup[]; /** of each file that was counted here, by its number */
  sums: Map<number, { low: number; high: number }>;
}

/**
 * Counts the tensors of shards, as many as there are left when it gets to them.
 *
 * @returns undefined where a file is not as its writers write it
 */
export async function countShards({ folder, files, next, seed }: ShardJob): Promise<CountedShards | undefined> {
  const names = new NameKinds(), headers = new PlainHeaders(names);
  const opened = new Set<ByteFile>();
  const sums: CountedShards["sums"] = new Map();
  try {
    for (let at = Atomics.add(next, 0, 1); at < files.length; at = Atomics.add(next, 0, 1)) {
      const header = await readHeader(join(folder, files[at]), opened);
      const sum = new NameSum(seed);
      if (!header || !headers.scan(header.json, header.file.sizeBytes - header.dataStart, () => (sum.add(names), true)))
        return undefined;
      await header.file.close();
      sums.set(at, { low: sum.low, high: sum.high });
    }
    return { groups: headers.groups(), sums };
  } catch (error) {
    if (error instanceof MoeError) return undefined;
    throw error;
  } finally {
    Atomics.store(next, 0, files.length);
    for (const file of opened) await file.close();
  }
}
