import childProcess, { ChildProcess } from "node:child_process";
import { syncBuiltinESMExports } from "node:module";
import { KernelInterrupt } from "./cell.js";
import { cellRuns } from "./context.js";
import { replace } from "./replace.js";
import type { StreamName } from "./streams.js";

type Entry = string | number | object | null | undefined;
type Writable = { -readonly [K in "stdout" | "stderr" | "stdio"]: any } & { pid?: number };

/**
 * A child process that is to write where the kernel writes (`stdio: "inherit"`) is read instead, and its text written
 * by the
 * cell that started it. Synchronous ones write to the kernel's descriptors: see `NativeStreams`.
 *
 * @param settle returns when all that was printed until now has arrived: it stands before the text of a synchronous
 *   child
 * @param started is told the process id of each child that is not waited for
 */
export function captureChildren(settle: () => void, started: (pid: number) => void): void {
  const calls = childProcess as unknown as Record<string, Function>;
  for (const name of ["spawnSync", "execSync", "execFileSync"]) {
    const call = calls[name]!;
    replace(calls, name, (...args: unknown[]) => {
      settle();
      try {
        return call(...args);
      } finally {
        // it was the interrupt that ended the child: the cell goes no further
        if (Atomics.load(cellRuns, 1) === 1) throw new KernelInterrupt();
      }
    });
  }
  syncBuiltinESMExports(); // for import { spawnSync } from "node:child_process"
  const prototype = ChildProcess.prototype as unknown as {
    spawn(this: Writable, options: { stdio?: Entry | Entry[] }): unknown;
  };
  const { spawn } = prototype;
  prototype.spawn = function(options) {
    const entries: Entry[] = Array.isArray(options.stdio)
      ? [...options.stdio]
      : [options.stdio, options.stdio, options.stdio];
    const inherited = entries.map(inheritedStream);
    const stdio = entries.map((entry, index) => (inherited[index] ? "pipe" : entry));
    const result = spawn.call(this, inherited.some(Boolean) ? { ...options, stdio } : options);
    if (this.pid) started(this.pid);
    for (const [index, name] of inherited.entries()) {
      if (!name || !this.stdio?.[index]) continue;
      this.stdio[index].on("data", (data: Buffer) => process[name].write(data));
      this.stdio[index] = null; // as it is for what was inherited
      if (index === 1) this.stdout = null;
      if (index === 2) this.stderr = null;
    }
    return result;
  };
}

function inheritedStream(entry: Entry, index: number): StreamName | undefined {
  if (entry === 1 || entry === process.stdout || (entry === "inherit" && index === 1)) return "stdout";
  if (entry === 2 || entry === process.stderr || (entry === "inherit" && index === 2)) return "stderr";
  return undefined;
}
