import { spawn, spawnSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TakenDescriptors {
  /** what standard error was: the terminal, for the kernel's own last words */
  terminal: number;
  /** where to read what is written to descriptor 1 and 2; empty where they could not be taken over */
  readers: number[];
}

/**
 * Native code and programs that inherit them write to the descriptors 1 and 2, past all that JavaScript can capture: they
 * become named pipes. Node has no dup2, but a file that is opened gets the lowest number that is free.
 * To be called before there are other threads, which might open files meanwhile.
 */
export function takeOverDescriptors(): TakenDescriptors {
  // made now, because Node would set what it finds behind these numbers to not wait, for all that write there
  void [process.stdout, process.stderr];
  const folder = mkdtempSync(join(tmpdir(), "moelab-pipes-"));
  const pipes = [1, 2].map((descriptor) => join(folder, String(descriptor)));
  try {
    if (spawnSync("mkfifo", ["-m", "600", ...pipes]).status !== 0) return { terminal: 2, readers: [] };
    const readers = pipes.map((pipe) => openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK));
    const terminal = reopened(2);
    keepLastWords(readers[1]!);
    for (const [index, pipe] of pipes.entries()) {
      closeSync(index + 1);
      openSync(pipe, constants.O_RDWR); // one that never waits for a reader, nor meets the end of the pipe
    }
    return { terminal: terminal ?? 2, readers };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** When the process ends before it has read all (V8 ran out of memory), a shell that waits for this sends the rest to the terminal. */
function keepLastWords(reader: number): void {
  const shell = spawn("sh", ["-c", "cat <&3 >/dev/null; cat <&4 >&2 2>/dev/null"], { stdio: ["ignore", "ignore", "inherit", "pipe", reader], detached: true });
  shell.on("error", () => {}); // a system without sh
  shell.unref();
  (shell.stdio[3] as Socket | null)?.unref();
}

/** A second number for what a descriptor stands for; none for a socket. */
function reopened(descriptor: number): number | undefined {
  try {
    return openSync(`/dev/fd/${descriptor}`, "a");
  } catch {
    return undefined;
  }
}

/** Writes to the terminal of the kernel, if there is one that still listens. */
export function tellTerminal(terminal: number, text: string | Uint8Array): void {
  try {
    writeSync(terminal, Buffer.from(text));
  } catch {
    // it was closed, or it is full
  }
}
