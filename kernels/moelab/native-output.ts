import { spawn, spawnSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export interface TakenDescriptors {
  /** leads to what standard error was: the terminal, for the kernel's own last words */
  terminal: number;
  /** where to read what is written to descriptor 1 and 2; empty where they could not be taken over */
  readers: number[];
}

/**
 * Native code and programs that inherit them write to the descriptors 1 and 2, past all that JavaScript can capture:
 * they
 * become named pipes. Node has no dup2, but a file that is opened gets the lowest number that is free.
 * To be called before there are other threads, which might open files meanwhile.
 */
export function takeOverDescriptors(): TakenDescriptors {
  // made now, because Node would set what it finds behind these numbers to not wait, for all that write there
  void [process.stdout, process.stderr];
  const pipes = namedPipes();
  if (!pipes) return { terminal: 2, readers: [] };
  const readers = pipes.map((pipe) => openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK));
  const terminal = speaker(readers[1]!);
  for (const [index, pipe] of pipes.entries()) {
    closeSync(index + 1);
    openSync(pipe, constants.O_RDWR); // one that never waits for a reader, nor meets the end of the pipe
  }
  rmSync(dirname(pipes[0]!), { recursive: true });
  return { terminal, readers };
}

/** Two, in a folder of their own; none where there is no mkfifo (Windows) or no place for them. */
function namedPipes(): string[] | undefined {
  try {
    const folder = mkdtempSync(join(tmpdir(), "moelab-pipes-"));
    const pipes = ["stdout", "stderr"].map((name) => join(folder, name));
    if (spawnSync("mkfifo", ["-m", "600", ...pipes]).status === 0) return pipes;
    rmSync(folder, { recursive: true });
  } catch {
    // a full or read-only disk: text of native code stays in the terminal
  }
  return undefined;
}

/**
 * A shell that has what standard error was, and says there what it is given; when the process has ended, also what
 * nobody has
 * read from the pipe: V8 ran out of memory, or a library aborted.
 * @returns the descriptor to write to
 */
function speaker(reader: number): number {
  const shell = spawn("sh", ["-c", "cat <&3 >&2; cat <&4 >&2 2>/dev/null"], {
    stdio: ["ignore", "ignore", "inherit", "pipe", reader],
    detached: true,
  });
  shell.on("error", () => {}); // a system without sh
  shell.unref();
  const pipe = shell.stdio[3] as (Socket & { _handle?: { fd: number } }) | null | undefined;
  pipe?.unref();
  return pipe?._handle?.fd ?? -1;
}

/** Writes to the terminal of the kernel, if there is one that still listens. */
export function tellTerminal(terminal: number, text: string | Uint8Array): void {
  try {
    writeSync(terminal, Buffer.from(text));
  } catch {
    // it was closed, or it is full, or there is none
  }
}
