import { rmSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { CappedStream, OUTPUT_FOLDER } from "./capped-stream.js";
import type { Cell } from "./cell.js";

export type StreamName = "stdout" | "stderr";

const WINDOW_MS = 20;
const WINDOW_POSTS = 40;

/**
 * Hands text on at once while there is little of it, so that what is printed before a long computation is seen;
 * a flood is gathered, because a message to another thread costs more than the line in it.
 */
class Outlet {
  private pending?: { key: number; name: StreamName; text: string };
  private windowStart = 0;
  private posts = 0;
  private scheduled = false;

  constructor(private readonly post: (key: number, name: StreamName, text: string) => void) {}

  write(key: number, name: StreamName, text: string): void {
    if (this.pending && (this.pending.key !== key || this.pending.name !== name)) this.flush();
    if (this.pending) this.pending.text += text;
    else this.pending = { key, name, text };
    const now = performance.now();
    if (now - this.windowStart > WINDOW_MS) {
      this.windowStart = now;
      this.posts = 0;
    }
    if (this.posts < WINDOW_POSTS || this.pending.text.length > 32_768) this.flush();
    else if (!this.scheduled) {
      this.scheduled = true;
      nodeSetImmediate(() => {
        this.scheduled = false;
        this.flush();
      });
    }
  }

  flush(): void {
    const { pending } = this;
    if (!pending) return;
    this.pending = undefined;
    this.posts++;
    this.post(pending.key, pending.name, pending.text);
  }
}

/** Not the one that cells see, which an interrupt ends. */
const nodeSetImmediate = setImmediate;

/** The captured streams of the process. */
export interface CapturedStreams {
  /** ends the text of a cell: sends its tail */
  end(cell: Cell): void;
  /** hands on what is gathered; to be called before anything else is sent, so that the order is kept */
  flush(): void;
}

/**
 * Takes over process.stdout and process.stderr: what is written belongs to the cell that is running or that started it.
 */
export function captureStreams(
  owner: () => Cell | undefined,
  post: (key: number, name: StreamName, text: string) => void,
): CapturedStreams {
  const outlet = new Outlet(post);
  const streams = new Map<string, CappedStream>();
  const finished = new Set<number>();
  for (const name of ["stdout", "stderr"] as const) {
    const decoder = new StringDecoder("utf8");
    process[name].write = ((chunk: string | Uint8Array, encoding?: unknown, callback?: unknown) => {
      const isEncoded = typeof chunk === "string" && typeof encoding === "string" && !/^utf-?8$/i.test(encoding);
      const text = typeof chunk === "string" && !isEncoded
        ? chunk
        : decoder.write(Buffer.from(chunk as string, encoding as BufferEncoding));
      const cell = owner();
      const key = cell?.key ?? 0;
      const id = `${key} ${name}`;
      let stream = streams.get(id);
      if (!stream)
        streams.set(id, stream = new CappedStream(`cell-${cell?.number ?? 0}-${key}-${name}.txt`, (part) =>
          outlet.write(key, name, part)));
      stream.write(text);
      if (finished.has(key))
        stream.finish();
      const done = typeof encoding === "function" ? encoding : callback;
      if (typeof done === "function")
        process.nextTick(done);
      return true;
    }) as typeof process.stdout.write;
    // the stream belongs to all cells: none of them ends it
    process[name].end = ((chunk?: unknown) => {
      if (typeof chunk === "string" || chunk instanceof Uint8Array)
        process[name].write(chunk);
      return process[name];
    }) as typeof process.stdout.end;
  }
  process.on("exit", () => rmSync(OUTPUT_FOLDER, { recursive: true, force: true }));
  return {
    end(cell) {
      finished.add(cell.key);
      for (const name of ["stdout", "stderr"]) streams.get(`${cell.key} ${name}`)?.finish();
      outlet.flush();
    },
    flush: () => outlet.flush(),
  };
}
