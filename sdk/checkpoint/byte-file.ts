import { close, constants, fstat, open, read } from "node:fs";
import { promisify } from "node:util";
import { FormatError, MoeError } from "../errors.js";

const openFile = promisify(open);
const closeFile = promisify(close);
const statFile = promisify(fstat);
const readFile = promisify(read);

/** Opening a pipe would wait for somebody who writes to it. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** One read call of the operating system takes less than 2 GiB. */
const MAX_READ_BYTES = 1 << 30;

/** Closes what nobody can read any more; a FileHandle that is only forgotten would print a warning into a notebook. */
const forgotten = new FinalizationRegistry<Promise<number>>((descriptor) => void descriptor.then(closeFile));

/** A file that is read by position. Reads may run at the same time; a read after `close` opens the file again. */
export class ByteFile {
  private descriptor?: Promise<number>;

  private constructor(readonly path: string, readonly sizeBytes: number, descriptor: number) {
    this.hold(Promise.resolve(descriptor));
  }

  /** @throws MoeError `no-such-file`, `not-readable` */
  static async open(path: string): Promise<ByteFile> {
    const descriptor = await openFile(path, READ).catch((cause: unknown) => {
      throw unreadable(path, cause);
    });
    const stat = await statFile(descriptor);
    if (!stat.isFile()) {
      await closeFile(descriptor);
      throw new MoeError("not-readable", `load: ${path} is not a file; accepted is a readable file. Check the path.`);
    }
    return new ByteFile(path, stat.size, descriptor);
  }

  /**
   * Reads into fresh memory, so that the first byte is aligned for every number type.
   *
   * @param start, end bytes, 0 <= start <= end <= sizeBytes
   * @param into memory to read into instead, if it is large enough
   * @throws FormatError `file-changed` if the file became shorter after it was opened
   */
  async read(start: number, end: number, into?: Uint8Array): Promise<Uint8Array> {
    const bytes = into && into.length >= end - start ? into.subarray(0, end - start) : fresh(end - start);
    const failed = (cause: unknown): never => {
      throw unreadable(this.path, cause);
    };
    const descriptor = await (this.descriptor ?? this.hold(openFile(this.path, READ))).catch(failed);
    for (let filled = 0; filled < bytes.length;) {
      const length = Math.min(MAX_READ_BYTES, bytes.length - filled);
      const { bytesRead } = await readFile(descriptor, bytes, filled, length, start + filled).catch(failed);
      if (bytesRead === 0)
        throw new FormatError("file-changed",
          `load: ${this.path} ends at byte ${start + filled}, it had ${this.sizeBytes} when it was opened; `
            + "accepted is a file that stays. Load it again.");
      filled += bytesRead;
    }
    return bytes;
  }

  async close(): Promise<void> {
    const descriptor = this.descriptor;
    this.descriptor = undefined;
    forgotten.unregister(this);
    if (descriptor) await closeFile(await descriptor);
  }

  private hold(descriptor: Promise<number>): Promise<number> {
    forgotten.register(this, descriptor, this);
    return (this.descriptor = descriptor);
  }
}

function unreadable(path: string, cause: unknown): MoeError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT")
    return new MoeError("no-such-file",
      `load: ${path} is not there; accepted is a readable file. Check the path, or fetch the checkpoint again.`, {
      cause,
    });
  return new MoeError("not-readable",
    `load: ${path} can not be read (${code}); accepted is a readable file. ${
      code === "EMFILE" ? "Let this process have more files open (ulimit -n)." : "Check its permissions and its disk."
    }`, { cause });
}

/** Memory that nobody clears first, since all of it is read into, and that starts at a multiple of 8 bytes. */
function fresh(sizeBytes: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(sizeBytes).buffer);
}
