import { isUtf8 } from "node:buffer";
import { isAbsolute, normalize } from "node:path";
import { FormatError, MoeError } from "../errors.js";
import { ByteFile } from "./byte-file.js";
import { jsonMembers } from "./json-members.js";

/**
 * Half a million names (256 experts x 3 matrices with scales x 61 layers of DeepSeek-V3: 90 thousand) of 200
 * characters.
 */
export const MAX_INDEX_BYTES = 200_000_000;
/** The largest published checkpoints have some 200 shards; each costs an open file. */
export const MAX_SHARDS = 4096;

export interface SafetensorsIndex {
  /** name of a tensor and path of its file inside the folder of the index; can be walked once */
  tensors: Iterable<[name: string, shard: string]>;
  /** an error about the index, for whoever finds it in disagreement with a shard */
  refuse(seen: string, accepted: string): FormatError;
}

/**
 * Opens a model.safetensors.index.json. Its `weight_map` is parsed while it is walked, so that no second list of names
 * arises.
 * A shard's path may not leave the folder: no absolute path, no "..", no backslash.
 *
 * @throws FormatError `safetensors-index`, at the latest while walking
 */
export async function openIndex(path: string): Promise<SafetensorsIndex> {
  const refuse: SafetensorsIndex["refuse"] = (seen, accepted) =>
    new FormatError("safetensors-index", `load: ${seen}, in ${path}; accepted is ${accepted}. Fetch the index again.`);
  return { tensors: walk(await readText(path, refuse), refuse), refuse };
}

function* walk(text: string, refuse: SafetensorsIndex["refuse"]): Generator<[name: string, shard: string]> {
  const shards = new Map<string, string>();
  let maps = 0;
  try {
    for (const [key, value] of jsonMembers(text)) {
      if (key !== "weight_map") continue;
      if (maps++ > 0) throw refuse("weight_map occurs twice", "one weight_map");
      for (const [name, shardText] of jsonMembers(value)) {
        // the text of the file name is the key: 200 shards are parsed and checked once, not once a tensor
        if (!shards.has(shardText)) shards.set(shardText, checkShard(JSON.parse(shardText), refuse));
        if (shards.size > MAX_SHARDS)
          throw refuse(`weight_map names more than ${MAX_SHARDS} files`, `at most ${MAX_SHARDS}`);
        yield [name, shards.get(shardText)!];
      }
    }
  } catch (error) {
    if (error instanceof MoeError) throw error;
    throw refuse(`the index is not a JSON object: ${(error as Error).message}`,
      "a JSON object with \"weight_map\" from tensor name to file name");
  }
  if (maps === 0) throw refuse("weight_map is missing", "\"weight_map\" from tensor name to file name");
}

/** Whether a shard's path stays inside the folder of its index. */
export function isInside(shard: string): boolean {
  return shard !== "" && !/[\\\0:]/.test(shard) && !isAbsolute(shard) && !normalize(shard).split("/").includes("..");
}

function checkShard(shard: unknown, refuse: SafetensorsIndex["refuse"]): string {
  if (typeof shard !== "string" || !isInside(shard))
    throw refuse(`weight_map names the file ${JSON.stringify(shard)?.slice(0, 200)}`, "file names inside the folder");
  return shard;
}

async function readText(path: string, refuse: SafetensorsIndex["refuse"]): Promise<string> {
  const file = await ByteFile.open(path);
  try {
    if (file.sizeBytes > MAX_INDEX_BYTES)
      throw refuse(`the index has ${file.sizeBytes} bytes`, `at most ${MAX_INDEX_BYTES}`);
    const bytes = await file.read(0, file.sizeBytes);
    if (!isUtf8(bytes)) throw refuse("the index is not UTF-8", "JSON in UTF-8");
    return new TextDecoder("utf-8").decode(bytes);
  } finally {
    await file.close();
  }
}
