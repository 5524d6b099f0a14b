// `moelab inspect` on a checkpoint whose index names half a million tensors, start of the process included, and its parts.
// usage: node build.mjs --no-types && node --import tsx test/bench/checkpoint/inspect.ts [FOLDER that is kept]
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HALF_A_MILLION, writeManyTensors } from "../../support/many-tensors.js";

const kept = process.argv[2];
const folder = kept ?? mkdtempSync(join(tmpdir(), "moelab-bench-"));
const cli = fileURLToPath(new URL("../../../dist/cli.js", import.meta.url));

/** The best of five, since the machine is never free of others. */
function measure(what: string, ...argv: string[]): void {
  const times = Array.from({ length: 5 }, () => {
    const started = performance.now();
    execFileSync(process.execPath, [cli, ...argv], { stdio: ["ignore", "pipe", "inherit"] });
    return performance.now() - started;
  });
  console.log(`${what.padEnd(40)} ${Math.min(...times).toFixed(0).padStart(6)} ms, of five ${times.map((time) => time.toFixed(0)).join(" ")}`);
}

try {
  if (!existsSync(join(folder, "config.json"))) console.log(`${await writeManyTensors(folder, HALF_A_MILLION)} tensors in 64 shards; node ${process.version}`);
  measure("moelab --version", "--version");
  measure("moelab inspect, half a million tensors", "inspect", folder);
} finally {
  if (!kept) rmSync(folder, { recursive: true });
}
