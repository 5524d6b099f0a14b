import { appendFileSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Holds the text that is too long to be shown; it is removed when the kernel ends. */
export const OUTPUT_FOLDER = join(tmpdir(), `moelab-output-${process.pid}`);

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

  private readonly file: string;

  /** @param file its name in the folder of such files */
  constructor(file: string, private readonly send: (text: string) => void) {
    this.file = join(OUTPUT_FOLDER, file);
  }

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
    while (this.tail.length > 1
      && (this.tail.length > TAIL.lines || this.tailChars - this.tail[0]!.length >= TAIL.chars)) {
      const left = this.tail.shift()!;
      this.tailChars -= left.length;
      this.omit(left);
    }
  }

  /** Sends the end of the text and says what was left out. */
  finish(): void {
    if (!this.capped) return;
    const kept = this.cutTail(this.tail.join(""));
    if (this.omitted.chars > 0) {
      this.flushFile();
      const { lines, chars } = this.omitted;
      this.send(
        `\n… ${lines.toLocaleString("en")} lines (${(chars / 1e6).toFixed(1)} MB) left out here; all of them `
          + `are in ${this.file}${this.filed >= FILE_CHARS ? " up to its limit" : ""}\n\n`,
      );
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
    mkdirSync(OUTPUT_FOLDER, { recursive: true, mode: 0o700 });
    appendFileSync(this.file, this.unfiled);
    this.unfiled = "";
  }
}

function count(text: string): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}
