import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { environment, removeSnapshot, snapshotArguments } from "../language/snapshot.js";
import type { LanguageData } from "../language/thread.js";
import { tellTerminal } from "../native-output.js";
import type { Port } from "../rpc.js";

/** So long after its start a kernel has a snapshot written for the next one. */
const PREPARE_AFTER_MS = 5000;

/**
 * The language service, in a process that starts from the snapshot. Where there is none that this Node can start from it
 * is a thread, and one is written while the kernel runs.
 *
 * @param kernel folder of the built kernel
 * @param terminal for last words: without its language service the kernel ends
 */
export function startLanguage(kernel: string, data: LanguageData, terminal: number): Port {
  const snapshot = snapshotArguments(kernel);
  const failed = (text: string) => {
    tellTerminal(terminal, `kernel: language service failed: ${text}\n`);
    process.kill(process.pid, "SIGKILL");
  };
  if (!snapshot) return startThread(kernel, data, failed);
  const child = spawn(process.execPath, [...snapshot, JSON.stringify(data)], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    serialization: "advanced",
    detached: true, // an interrupt, from here or from a terminal, does not mean it
    windowsHide: true,
    env: environment(),
  });
  return link(child, () => {
    removeSnapshot(kernel);
    return startThread(kernel, data, failed);
  }, failed);
}

/** What was asked of a process that never answered is asked of the thread in its place. */
function link(child: ChildProcess, otherwise: () => Port, failed: (text: string) => void): Port {
  const listeners: ((message: any) => void)[] = [];
  let unanswered: unknown[] | undefined = [];
  let replacement: Port | undefined;
  child.on("message", (message) => {
    unanswered = undefined;
    for (const listener of listeners) listener(message);
  });
  child.on("error", () => {}); // told by its end
  child.once("close", (code, signal) => {
    if (!unanswered) return failed(`ended with ${signal ?? code}`);
    const port = replacement = otherwise();
    for (const listener of listeners) port.on("message", listener);
    for (const message of unanswered) port.postMessage(message);
  });
  child.unref();
  child.channel?.unref();
  return {
    on: (type, listener) => replacement ? replacement.on(type, listener) : listeners.push(listener),
    postMessage(message) {
      if (replacement) return replacement.postMessage(message);
      unanswered?.push(message);
      child.send(message as object, () => {});
    },
  };
}

function startThread(kernel: string, workerData: LanguageData, failed: (text: string) => void): Port {
  const file = join(kernel, "language.cjs");
  const worker = new Worker(file, { workerData, execArgv: ["--no-warnings"], env: { ...process.env },
    resourceLimits: { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 12 } });
  worker.on("error", (error) => failed(String(error.stack)));
  worker.unref();
  setTimeout(
    () =>
      spawn(process.execPath, [file, "prepare"], { stdio: "ignore", detached: true, windowsHide: true }).on("error",
        () => {}).unref(),
    PREPARE_AFTER_MS,
  ).unref();
  return worker;
}
