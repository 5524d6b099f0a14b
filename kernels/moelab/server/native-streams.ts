import { readSync } from "node:fs";
import { Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import { type TakenDescriptors, tellTerminal } from "../native-output.js";
import { CappedStream } from "../runner/capped-stream.js";
import type { StreamName } from "../runner/streams.js";

const NAMES: StreamName[] = ["stdout", "stderr"];
const CHUNK = Buffer.alloc(65_536);

/**
 * Hands on what native code and child processes write to descriptors 1 and 2, as it comes: the runner may be waiting
 * for them.
 * Nothing says who wrote; it is taken as the running cell's, or the latest one's, and limited like its other text.
 */
export class NativeStreams {
  private readonly decoders = NAMES.map(() => new StringDecoder("utf8"));
  private capped: { key: number; finished: boolean; streams: CappedStream[] } = { key: -1, finished: false,
    streams: [] };

  /** @param latest key of the running cell, or the one before */
  constructor(
    private readonly taken: TakenDescriptors,
    private readonly latest: () => number,
    private readonly send: (key: number, name: StreamName, text: string) => void,
  ) {
    taken.readers.forEach((fd, index) =>
      new Socket({ fd, readable: true, writable: false }).on("data", (data) => this.write(index, data))
    );
  }

  /** Takes what was written until now: to be called before anything is sent that came later. */
  drain(): void {
    this.taken.readers.forEach((fd, index) => {
      for (let count = read(fd); count > 0; count = read(fd)) this.write(index, CHUNK.subarray(0, count));
    });
  }

  /** The cell has ended. */
  end(): void {
    this.drain();
    this.capped.finished = true;
    for (const stream of this.capped.streams) stream.finish();
  }

  private write(index: number, data: Buffer): void {
    // Node's last words, when it runs out of memory, are of use there too
    if (index === 1) tellTerminal(this.taken.terminal, data);
    const key = this.latest();
    if (this.capped.key !== key)
      this.capped = { key, finished: false,
        streams: NAMES.map((name) =>
          new CappedStream(`cell-${key}-native-${name}.txt`, (text) => this.send(key, name, text))
        ) };
    const stream = this.capped.streams[index]!;
    stream.write(this.decoders[index]!.write(data));
    if (this.capped.finished) stream.finish();
  }
}

function read(fd: number): number {
  try {
    return readSync(fd, CHUNK);
  } catch {
    return 0; // EAGAIN: nothing more is there
  }
}
