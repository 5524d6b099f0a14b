import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MoeError } from "../errors.js";
import { tensorSizeBytes } from "./safetensors-layout.js";
import { partName, type TensorData, type TensorToWrite, TensorWriter, type WriteOptions } from "./write-safetensors.js";

const indexName = "model.safetensors.index.json";

export interface WriteShardedOptions extends WriteOptions {
  /** a shard holds at most this, or one tensor that is larger; 5 GB unless told, as transformers */ maxShardBytes?:
    number;
}

/**
 * Writes model.safetensors, or model-00001-of-0000N.safetensors with their index, in the order of `tensors`.
 * No file has its final name before all are complete, and the index is the last: a folder that was left half-way is no
 * model.
 *
 * @returns the names of the files
 */
export async function writeSharded(
  folder: string,
  tensors: readonly TensorToWrite[],
  data: AsyncIterable<TensorData> | Iterable<TensorData>,
  options: WriteShardedOptions = {},
): Promise<string[]> {
  const writer = new ShardedWriter(folder, tensors, options);
  try {
    for await (const piece of data) await writer.write(piece);
    return await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

interface Shard {
  file: string;
  tensors: TensorToWrite[];
  writer?: TensorWriter;
  flushed?: boolean;
}

/** The same for a caller that pushes. A shard's file is open from its first byte until it is complete. */
export class ShardedWriter {
  private readonly shards: Shard[];
  private readonly shardOf = new Map<string, Shard>();

  constructor(
    private readonly folder: string,
    tensors: readonly TensorToWrite[],
    private readonly options: WriteShardedOptions = {},
  ) {
    const groups = split(tensors, options.maxShardBytes ?? 5e9);
    const number = (value: number) => String(value).padStart(5, "0");
    this.shards = groups.map((group, index) => ({
      file: groups.length === 1
        ? "model.safetensors"
        : `model-${number(index + 1)}-of-${number(groups.length)}.safetensors`,
      tensors: group,
    }));
    for (const shard of this.shards) for (const { name } of shard.tensors) this.shardOf.set(name, shard);
  }

  async write(piece: TensorData): Promise<void> {
    const shard = this.shard(piece.name);
    const writer = await this.open(shard);
    await writer.write(piece);
    if (writer.complete && !shard.flushed) await this.flush(shard);
  }

  /** Counts bytes as written that an earlier writer put there: see `resume`. */
  async skip(name: string, at: number, sizeBytes: number): Promise<void> {
    const shard = this.shard(name);
    const writer = await this.open(shard);
    writer.skip(name, at, sizeBytes);
    if (writer.complete && !shard.flushed) await this.flush(shard);
  }

  /** Flushes what was written so far. */
  async sync(): Promise<void> {
    for (const { writer, flushed } of this.shards) if (writer && !flushed) await writer.sync();
  }

  /** @returns the names of the files */
  async finish(): Promise<string[]> {
    await mkdir(this.folder, { recursive: true });
    for (const shard of this.shards) {
      await this.open(shard);
      if (!shard.flushed) await this.flush(shard);
    }
    await this.removeEarlierSave();
    for (const shard of this.shards) await shard.writer!.rename();
    const files = this.shards.map((shard) => shard.file);
    if (files.length === 1) return files;
    const indexFile = join(this.folder, indexName);
    await writeFile(partName(indexFile), this.index());
    await rename(partName(indexFile), indexFile);
    return [...files, indexName];
  }

  async abandon(): Promise<void> {
    for (const shard of this.shards) await shard.writer?.abandon();
  }

  /** Closes all files; what was written stays under temporary names. */
  async leave(): Promise<void> {
    for (const shard of this.shards) await shard.writer?.leave();
  }

  private shard(name: string): Shard {
    const shard = this.shardOf.get(name);
    if (shard) return shard;
    throw new MoeError("unknown-tensor",
      `save: tensor "${name}" was not announced for ${this.folder}; accepted are the ${this.shardOf.size} `
        + "announced names. Announce it.");
  }

  /** Readers would take an earlier index or single file for this one, and nobody would read the other shards again. */
  private async removeEarlierSave(): Promise<void> {
    for (const name of await readdir(this.folder)) {
      if (name === indexName || /^model(-\d{5}-of-\d{5})?\.safetensors$/.test(name)) await rm(join(this.folder, name));
    }
  }

  private async open(shard: Shard): Promise<TensorWriter> {
    shard.writer ??= await TensorWriter.create(join(this.folder, shard.file), shard.tensors, this.options);
    return shard.writer;
  }

  private async flush(shard: Shard): Promise<void> {
    await shard.writer!.flush();
    shard.flushed = true;
  }

  private index(): string {
    const totalSize = this.shards.flatMap((shard) => shard.tensors).reduce(
      (sum, tensor) => sum + tensorSizeBytes(tensor),
      0,
    );
    const names = [...this.shardOf.keys()].sort();
    const weightMap = Object.fromEntries(names.map((name) => [name, this.shardOf.get(name)!.file]));
    return `${JSON.stringify({ metadata: { total_size: totalSize }, weight_map: weightMap }, null, 2)}\n`;
  }
}

function split(tensors: readonly TensorToWrite[], maxShardBytes: number): TensorToWrite[][] {
  const groups: TensorToWrite[][] = [[]];
  let filled = 0;
  for (const tensor of tensors) {
    const sizeBytes = tensorSizeBytes(tensor);
    if (filled > 0 && filled + sizeBytes > maxShardBytes) {
      groups.push([]);
      filled = 0;
    }
    groups.at(-1)!.push(tensor);
    filled += sizeBytes;
  }
  return groups;
}
