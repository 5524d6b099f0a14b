// The kernel's process: `node main.js CONNECTION_FILE`, started by a front end with the notebook's folder as working
// directory.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { takeOverDescriptors, tellTerminal } from "./native-output.js";
import { cellRuns } from "./runner/context.js";
import { Runner } from "./runner/runner.js";
import type { ToRunner, ToServer } from "./threads.js";

const home = packageFolder(fileURLToPath(import.meta.url));
const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
const typescriptVersion = createRequire(import.meta.url)("typescript/package.json").version;
const connectionFile = process.argv[2];
if (!connectionFile) {
  console.error(
    "kernel: no connection file was given; accepted is the path of one, which a front end writes. Start "
      + "a notebook with `moelab lab` or `moelab run`.",
  );
  process.exit(2);
}
const connection = JSON.parse(readFileSync(connectionFile, "utf8"));

const { terminal, readers } = takeOverDescriptors();
const server = new Worker(new URL("server.js", import.meta.url), {
  workerData: { connection, kernel: dirname(fileURLToPath(import.meta.url)), folder: process.cwd(), home, version,
    typescriptVersion, cellRuns, terminal, readers },
  execArgv: [...process.execArgv, "--no-warnings"],
  // V8 lets garbage grow in proportion to what a thread may use at most: these are no bounds that a notebook meets
  resourceLimits: { maxOldGenerationSizeMb: 2000, maxYoungGenerationSizeMb: 6 },
});
server.on("error", (error) => {
  tellTerminal(terminal, `kernel: server.js failed: ${error.stack}\n`);
  process.kill(process.pid, "SIGKILL");
});

const runner = new Runner(process.cwd(), home, new URL(".", import.meta.url).href,
  (message: ToServer) => server.postMessage(message));
server.on("message", (message: ToRunner) => {
  if (message.type === "exit") end();
  else runner.receive(message);
});

/**
 * What listens for the end is told. Node's own way out waits for the other threads and takes V8's memory apart, for up
 * to a second.
 */
function end(): void {
  try {
    process.emit("exit", 0);
  } finally {
    process.kill(process.pid, "SIGKILL");
  }
}

function packageFolder(start: string): string {
  for (let folder = dirname(start);; folder = dirname(folder)) {
    try {
      if (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).name === "moelab") return folder;
    } catch {
      if (folder === dirname(folder))
        throw new Error(
          `kernel: no moelab package around ${start}; accepted is a kernel inside its package. Install moelab again.`,
        );
    }
  }
}
