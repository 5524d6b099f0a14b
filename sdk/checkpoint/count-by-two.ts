import { randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { packageFile } from "../package-file.js";
import { type CountedShards, countShards, type ShardJob } from "./count-shards.js";
import { NameKinds } from "./name-kinds.js";
import { NameSum } from "./name-sum.js";
import { NameTable } from "./name-table.js";
import { readIndex } from "./plain-checkpoint.js";
import { scanPlainIndex } from "./plain-index.js";
import { joinGroups, type TensorGroup } from "./tensor-summary.js";

/** From here on a second thread saves more than its start costs. */
const LARGE_INDEX_BYTES = 8e6;
const SHARD = /^model-\d+-of-\d+\.safetensors$/;

/**
 * One thread reads the index and the other begins with the shards. Then each shard's names are compared with those that
 * the
 * index has for it, by their sums.
 *
 * @returns undefined where this would gain nothing, or a file is not as its writers write it
 */
export async function countByTwo(folder: string): Promise<TensorGroup[] | undefined> {
  const worker = packageFile("dist/count-shards-worker.js"), index = join(folder, "model.safetensors.index.json");
  const sizeBytes = (await stat(index).catch(() => undefined))?.size ?? 0;
  if (sizeBytes < LARGE_INDEX_BYTES || availableParallelism() < 2 || !existsSync(worker)
    || existsSync(join(folder, "model.safetensors"))) return undefined;
  const files = (await readdir(folder)).filter((name) => SHARD.test(name));
  const job: ShardJob = { folder, files, next: new Int32Array(new SharedArrayBuffer(4)), seed: randomInt(2 ** 32) | 0 };
  const thread = new Worker(worker, { workerData: job, execArgv: [] });
  try {
    const others = new Promise<CountedShards | undefined>((resolve) =>
      thread.once("message", resolve).once("error", () => resolve(undefined)).once("exit", () => resolve(undefined))
    );
    const expected = await sumsOfIndex(index, job.seed);
    const counted = expected && [await countShards(job), await others];
    if (!counted || !counted[0] || !counted[1] || expected.size !== files.length) return undefined;
    const sums = new Map([...counted[0].sums, ...counted[1].sums]);
    for (const [number, file] of files.entries()) {
      const [seen, said] = [sums.get(number), expected.get(file)];
      if (!seen || !said || seen.low !== said.low || seen.high !== said.high) return undefined;
    }
    return joinGroups([...counted[0].groups, ...counted[1].groups]);
  } finally {
    await thread.terminate();
  }
}

/** The sum of the names that an index has for each file; undefined unless it is plain and says each name once. */
async function sumsOfIndex(path: string, seed: number): Promise<Map<string, NameSum> | undefined> {
  const json = await readIndex(path);
  const names = new NameKinds(), seen = new NameTable(), sums: NameSum[] = [];
  const files = json && scanPlainIndex(json, names, (key, file) => {
    (sums[file] ??= new NameSum(seed)).add(names);
    return seen.add(key, file);
  });
  return files && new Map(files.map((file, number) => [file, sums[number]]));
}
