import { existsSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { MoeError } from "../errors.js";
import { cannotWrite } from "../files/cannot-write.js";
import { encodeHeader, layOut, type TensorToWrite } from "./safetensors-layout.js";

export type { TensorToWrite };

/** A whole tensor, or a piece of one that begins at byte `at`. Pieces may come in any order. */
export interface TensorData {
  name: string;
  bytes: Uint8Array;
  at?: number;
}

export interface WriteOptions {
  /** `__metadata__`; { format: "pt" }, which transformers asks for, unless told */
  metadata?: Record<string, string>;
  /** go on with the file of a writer that was cut off; default false */
  resume?: boolean;
  /** who writes, for errors; default "save" */
  verb?: string;
}

/**
 * Writes one .safetensors file. The header is written first from the infos; data goes to its place as it comes.
 * The file carries a temporary name until every byte is there.
 *
 * @param tensors every tensor of the file
 * @param data their bytes, little-endian, in any order
 * @throws MoeError `incomplete` if a tensor did not get its bytes, `disk-full`, `cannot-write`
 * @example await writeTensors("out.safetensors", [{ name: "a", dtype: "F32", shape: [2] }], [{ name: "a", bytes: new
 *   Uint8Array(8) }])
 */
export async function writeTensors(
  file: string,
  tensors: readonly TensorToWrite[],
  data: AsyncIterable<TensorData> | Iterable<TensorData>,
  options: WriteOptions = {},
): Promise<void> {
  let writer: TensorWriter | undefined;
  try {
    writer = await TensorWriter.create(file, tensors, options);
    for await (const piece of data) await writer.write(piece);
    await writer.finish();
  } catch (error) {
    await writer?.abandon();
    if (error instanceof Error && "syscall" in error) throw cannotWrite(options.verb ?? "save", file, error);
    throw error;
  }
}

/** The same for a caller that pushes. `write` any number of times, then `finish` or `abandon`. */
export class TensorWriter {
  private readonly missing = new Map<string, number>();
  private constructor(
    readonly file: string,
    private readonly handle: FileHandle,
    private readonly places: Map<string, { start: number; sizeBytes: number }>,
    /** bytes that were there when the file was opened */
    private readonly foundBytes: number,
  ) {
    for (const [name, { sizeBytes }] of places) if (sizeBytes > 0) this.missing.set(name, sizeBytes);
  }

  static async create(
    file: string,
    tensors: readonly TensorToWrite[],
    { metadata = { format: "pt" }, resume = false }: WriteOptions = {},
  ): Promise<TensorWriter> {
    const laidOut = layOut(tensors);
    const header = encodeHeader(laidOut, metadata);
    const places = new Map(
      laidOut.map(({ name, start, sizeBytes }) => [name, { start: header.length + start, sizeBytes }]),
    );
    await mkdir(dirname(file), { recursive: true });
    // a file that was complete may have its final name already
    if (resume && existsSync(file)) await rename(file, partName(file));
    const handle = await open(partName(file), resume && existsSync(partName(file)) ? "r+" : "w");
    const writer = new TensorWriter(file, handle, places, (await handle.stat()).size);
    try {
      await writer.put(header, 0);
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    return writer;
  }

  /** True once every tensor has all its bytes. */
  get complete(): boolean {
    return this.missing.size === 0;
  }

  async write({ name, bytes, at = 0 }: TensorData): Promise<void> {
    await this.put(bytes, this.take(name, at, bytes.length));
  }

  /** Counts bytes as written that an earlier writer put there. @throws MoeError `incomplete` if they are not */
  skip(name: string, at: number, sizeBytes: number): void {
    const end = this.take(name, at, sizeBytes) + sizeBytes;
    if (end > this.foundBytes)
      throw new MoeError("incomplete",
        `save: ${partName(this.file)} has ${this.foundBytes} bytes, a save that was cut off had written `
          + `${end}; accepted is its file as it was. Remove the folder and save again.`);
  }

  /** Flushes what was written so far. */
  async sync(): Promise<void> {
    await this.handle.datasync();
  }

  /** Marks bytes of a tensor as there; gives their place in the file. */
  private take(name: string, at: number, sizeBytes: number): number {
    const place = this.places.get(name);
    if (!place)
      throw new MoeError("unknown-tensor",
        `save: tensor "${name}" was not announced for ${this.file}; accepted are the ${this.places.size} `
          + "names of its header. Announce it.");
    if (at < 0 || at + sizeBytes > place.sizeBytes) {
      throw new MoeError("range",
        `save: bytes ${at} to ${at + sizeBytes} of tensor "${name}"; accepted is 0 to ${place.sizeBytes}. `
          + "Check its dtype and shape.");
    }
    const left = (this.missing.get(name) ?? 0) - sizeBytes;
    if (left < 0)
      throw new MoeError("range",
        `save: tensor "${name}" is written twice; accepted is each byte once. Write it once.`);
    if (left === 0) this.missing.delete(name);
    else this.missing.set(name, left);
    return place.start + at;
  }

  /** Flushes to the disk and gives the file its name. */
  async finish(): Promise<void> {
    await this.flush();
    await this.rename();
  }

  /** Flushes and closes; the file keeps its temporary name until `rename`. */
  async flush(): Promise<void> {
    const [first] = this.missing;
    if (first)
      throw new MoeError("incomplete",
        `save: ${this.missing.size} of ${this.places.size} tensors of ${this.file} lack bytes, the first is `
          + `"${first[0]}" with ${first[1]}; accepted is all of them. Write them before the end.`);
    await this.handle.sync();
    await this.handle.close();
  }

  async rename(): Promise<void> {
    await rename(partName(this.file), this.file);
  }

  /** Closes; what was written stays under its temporary name. */
  async leave(): Promise<void> {
    await this.handle.close().catch(() => undefined);
  }

  /** Removes what was written. */
  async abandon(): Promise<void> {
    await this.handle.close().catch(() => undefined);
    await rm(partName(this.file), { force: true });
  }

  private async put(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.handle.write(bytes, done, Math.min(bytes.length - done, 1 << 30),
        position + done);
      done += bytesWritten;
    }
  }
}

export function partName(file: string): string {
  return `${file}.part`;
}
