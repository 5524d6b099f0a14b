import type { DataType, Tensor } from "@tensorflow/tfjs-core";
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MoeError } from "../errors.js";
import { cannotWrite } from "../files/cannot-write.js";
import { tf } from "../tensor/index.js";
import type { MemoryBudget } from "./memory-budget.js";

/** A tensor between two uses: on the device, or in a file. */
export interface Held {
  shape: number[];
  /** a fresh tensor with its values, the caller's own */
  read(): Promise<Tensor>;
  /** the same when it is the last time */
  take(): Promise<Tensor>;
  free(): void;
}

/**
 * Where the activations of a sweep wait between layers. What the budget for activations does not hold goes to a scratch
 * file. Batches are used in turn, so those that came first stay on the device: any other choice would move them all.
 * The file has no name from the moment it is open, so nothing of it is left however the process ends.
 */
export class Activations {
  private deviceBytes = 0;
  private readonly tensors = new Set<Tensor>();
  private file?: Promise<Scratch>;

  constructor(private readonly budget: MemoryBudget) {}

  /** Takes a tensor. */
  async hold(tensor: Tensor): Promise<Held> {
    const sizeBytes = 4 * tensor.size;
    if (this.deviceBytes + sizeBytes > this.budget.activationBytes) return this.spill(tensor);
    this.deviceBytes += sizeBytes;
    this.budget.use(sizeBytes);
    this.tensors.add(tensor);
    const free = () => {
      if (!this.tensors.delete(tensor)) return false;
      this.deviceBytes -= sizeBytes;
      this.budget.done(sizeBytes);
      return true;
    };
    return { shape: tensor.shape, read: async () => tf.clone(tensor), take: async () => (free(), tensor),
      free: () => void (free() && tensor.dispose()) };
  }

  /** Frees all that is held, and the file. */
  async close(): Promise<void> {
    this.budget.done(this.deviceBytes);
    this.deviceBytes = 0;
    tf.dispose([...this.tensors]);
    this.tensors.clear();
    const file = this.file;
    this.file = undefined;
    await (await file?.catch(() => undefined))?.close();
  }

  private async spill(tensor: Tensor): Promise<Held> {
    const { shape, dtype, size } = tensor;
    const values = (await tensor.data()) as Float32Array | Int32Array;
    tensor.dispose();
    const file = await (this.file ??= Scratch.create());
    const at = await file.write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    const read = async () => tensorOf(await file.read(at, 4 * size), shape, dtype);
    const free = () => file.free(at, 4 * size);
    return { shape, read, take: async () => {
      const whole = await read();
      free();
      return whole;
    }, free };
  }
}

function tensorOf(bytes: Uint8Array, shape: number[], dtype: DataType): Tensor {
  const { buffer, byteOffset, byteLength } = bytes;
  return tf.tensor(
    dtype === "int32"
      ? new Int32Array(buffer, byteOffset, byteLength / 4)
      : new Float32Array(buffer, byteOffset, byteLength / 4),
    shape,
    dtype,
  );
}

/** A file whose pieces are used again once they are free. */
class Scratch {
  private end = 0;
  /** places by length */
  private readonly unused = new Map<number, number[]>();

  private constructor(private readonly handle: FileHandle, private readonly folder: string) {}

  static async create(): Promise<Scratch> {
    const folder = await mkdtemp(join(tmpdir(), "moelab-activations-")).catch((cause: unknown) => {
      throw cannotWrite("sweep", tmpdir(), cause);
    });
    try {
      const scratch = new Scratch(await open(join(folder, "scratch"), "wx+"), folder);
      // an open file can lose its name; where the system does not allow it, `close` removes it
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
      return scratch;
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** @returns where it lies */
  async write(bytes: Uint8Array): Promise<number> {
    const at = this.unused.get(bytes.length)?.pop() ?? this.end;
    if (at === this.end) this.end += bytes.length;
    try {
      for (let done = 0; done < bytes.length;)
        done += (await this.handle.write(bytes, done, Math.min(bytes.length - done, 1 << 30), at + done)).bytesWritten;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "ENOSPC") throw cannotWrite("sweep", tmpdir(), cause);
      throw new MoeError("disk-full",
        `sweep: the disk of ${tmpdir()} is full at ${this.end} bytes of activations; accepted is room for `
          + "all that { memory } does not hold. Free some space, set TMPDIR to another disk, or give fewer "
          + "tokens.", { cause });
    }
    return at;
  }

  async read(at: number, sizeBytes: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(sizeBytes);
    for (let done = 0; done < sizeBytes;) {
      const { bytesRead } = await this.handle.read(bytes, done, Math.min(sizeBytes - done, 1 << 30), at + done);
      if (bytesRead === 0) throw new Error(`the scratch file ends at ${at + done}`);
      done += bytesRead;
    }
    return bytes;
  }

  free(at: number, sizeBytes: number): void {
    this.unused.set(sizeBytes, [...(this.unused.get(sizeBytes) ?? []), at]);
  }

  async close(): Promise<void> {
    await this.handle.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
