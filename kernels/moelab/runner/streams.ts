import { appendFileSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import type { Cell } from "./cell.js";

export type StreamName = "stdout" | "stderr";

/** Up to these numbers the text of a cell goes out as it comes; a browser page draws so much in some seconds. */
const HEAD = { lines: 8_000, chars: 1_000_000 };
/** Of what comes after, the end is kept. */
const TAIL = { lines: 2_000, chars: 250_000 };
/** The rest of a cell's text goes to a file, up to this size. */
const FILE_CHARS = 200_000_000;

/**
 * Limits the text that one cell writes to one stream: its beginning is sent at once, its end when the cell ends.
 * What lies between is counted and left in a file that lives as long as the kernel.
 */
export class CappedStream {
  private lines = 0;
  private chars = 0;
  private tail: string[] = [];
  private tailChars = 0;
  private omitted = { lines: 0, chars: 0 };
  private filed = 0;
  private unfiled = "";
  private capped = false;

  constructor(private readonly file: string, private readonly send: (text: string) => void) {}

  write(text: string): void {
    if (!this.capped) {
      const fits = this.fitting(text);
      if (fits) this.send(fits);
      if (fits.length === text.length) return;
      this.capped = true;
      text = text.slice(fits.length);
    }
    this.store(text);
    this.tail.push(text);
    this.tailChars += text.length;
    while (this.tail.length > 1 && (this.tail.length > TAIL.lines || this.tailChars - this.tail[0]!.length >= TAIL.chars)) this.omit(this.tail.shift()!);
  }

  /** Sends the end of the text and says what was left out. */
  finish(): void {
    if (!this.capped) return;
    const kept = this.cutTail(this.tail.join(""));
    if (this.omitted.chars > 0) {
      this.flushFile();
      const { lines, chars } = this.omitted;
      this.send(`\n… ${lines.toLocaleString("en")} lines (${(chars / 1e6).toFixed(1)} MB) left out here; all of them are in ${this.file}${this.filed >= FILE_CHARS ? " up to its limit" : ""}\n\n`);
    }
    this.send(kept);
    this.tail = [];
    this.tailChars = 0;
    this.omitted = { lines: 0, chars: 0 };
  }

  /** The part of `text` that the head still takes. */
  private fitting(text: string): string {
    let end = this.lines >= HEAD.lines ? 0 : Math.min(text.length, HEAD.chars - this.chars);
    let lines = 0;
    for (let at = text.indexOf("\n"); at >= 0 && at < end; at = text.indexOf("\n", at + 1)) {
      if (++lines + this.lines >= HEAD.lines) end = at + 1;
    }
    this.lines += lines;
    this.chars += end;
    return text.slice(0, Math.max(0, end));
  }

  private omit(text: string): void {
    this.omitted.chars += text.length;
    this.omitted.lines += count(text);
  }

  /** One write may itself be longer than the tail. */
  private cutTail(text: string): string {
    const lines = text.split("\n");
    let kept = lines.length > TAIL.lines + 1 ? lines.slice(-TAIL.lines - 1).join("\n") : text;
    if (kept.length > TAIL.chars) kept = kept.slice(-TAIL.chars);
    if (kept.length < text.length) this.omit(text.slice(0, text.length - kept.length));
    return kept;
  }

  private store(text: string): void {
    if (this.filed >= FILE_CHARS) return;
    this.unfiled += text;
    this.filed += text.length;
    if (this.unfiled.length > 1_000_000) this.flushFile();
  }

  private flushFile(): void {
    mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
    appendFileSync(this.file, this.unfiled);
    this.unfiled = "";
  }
}

const FOLDER = join(tmpdir(), `moelab-output-${process.pid}`);

function count(text: string): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}

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

/** Takes over process.stdout and process.stderr: what is written belongs to the cell that is running or that started it. */
export function captureStreams(owner: () => Cell | undefined, post: (key: number, name: StreamName, text: string) => void): CapturedStreams {
  const outlet = new Outlet(post);
  const streams = new Map<string, CappedStream>();
  const finished = new Set<number>();
  for (const name of ["stdout", "stderr"] as const) {
    const decoder = new StringDecoder("utf8");
    process[name].write = ((chunk: string | Uint8Array, encoding?: unknown, callback?: unknown) => {
      const isEncoded = typeof chunk === "string" && typeof encoding === "string" && !/^utf-?8$/i.test(encoding);
      const text = typeof chunk === "string" && !isEncoded ? chunk : decoder.write(Buffer.from(chunk as string, encoding as BufferEncoding));
      const cell = owner();
      const key = cell?.key ?? 0;
      const id = `${key} ${name}`;
      let stream = streams.get(id);
      if (!stream) streams.set(id, (stream = new CappedStream(join(FOLDER, `cell-${cell?.number ?? 0}-${key}-${name}.txt`), (part) => outlet.write(key, name, part))));
      stream.write(text);
      if (finished.has(key)) stream.finish();
      const done = typeof encoding === "function" ? encoding : callback;
      if (typeof done === "function") process.nextTick(done);
      return true;
    }) as typeof process.stdout.write;
    // the stream belongs to all cells: none of them ends it
    process[name].end = ((chunk?: unknown) => {
      if (typeof chunk === "string" || chunk instanceof Uint8Array) process[name].write(chunk);
      return process[name];
    }) as typeof process.stdout.end;
  }
  process.on("exit", () => rmSync(FOLDER, { recursive: true, force: true }));
  return {
    end(cell) {
      finished.add(cell.key);
      for (const name of ["stdout", "stderr"]) streams.get(`${cell.key} ${name}`)?.finish();
      outlet.flush();
    },
    flush: () => outlet.flush(),
  };
}
