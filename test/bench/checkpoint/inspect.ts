// `moelab inspect` and `moe.load` on a checkpoint whose index names half a million tensors; inspect with the start of
// the process.
// Writes results/DATE.json.
// usage: node build.mjs --no-types && node --import tsx test/bench/checkpoint/inspect.ts [FOLDER that is kept]
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HALF_A_MILLION, writeManyTensors } from "../../support/many-tensors.js";

const kept = process.argv[2];
const folder = kept ?? mkdtempSync(join(os.tmpdir(), "moelab-bench-"));
const dist = (file: string) => fileURLToPath(new URL(`../../../dist/${file}`, import.meta.url));
const run = (...argv: string[]) =>
  execFileSync(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });

const LOAD = `
  import { openModel } from ${JSON.stringify(dist("index.js"))};
  const heap = () => { gc(); return process.memoryUsage().heapUsed; };
  const before = heap(), started = performance.now();
  const opened = await openModel(${JSON.stringify(folder)});
  const seconds = (performance.now() - started) / 1000;
  const held = heap() - before;
  await opened.store.close();
  console.log(JSON.stringify({ seconds, heldMB: held / 1e6, peakResidentMB: process.resourceUsage().maxRSS / 1024 }));
`;

const five = <T>(measure: () => T): T[] => Array.from({ length: 5 }, measure);
const sizeMB = (pick: (name: string) => boolean) =>
  round(readdirSync(folder).filter(pick).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0) / 1e6);

function milliseconds(...argv: string[]): number {
  const started = performance.now();
  run(dist("cli.js"), ...argv);
  return Math.round(performance.now() - started);
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}

try {
  if (!existsSync(join(folder, "config.json"))) await writeManyTensors(folder, HALF_A_MILLION);
  const [, tensors] = /(\d+) tensors/.exec(run(dist("cli.js"), "inspect", folder))!;
  const loads = five(() =>
    JSON.parse(run("--expose-gc", "--input-type=module", "-e", LOAD)) as { seconds: number; heldMB: number;
      peakResidentMB: number }
  );
  const report = {
    date: new Date().toISOString(),
    machine: { cpu: os.cpus()[0].model, cores: os.cpus().length, node: process.version, load: round(os.loadavg()[0]) },
    checkpoint: { tensors: Number(tensors), shards: readdirSync(folder).filter((name) =>
      name.endsWith(".safetensors")
    ).length, indexMB: sizeMB((name) => name.endsWith(".index.json")), headersAndDataMB: sizeMB((name) =>
      name.endsWith(".safetensors")
    ) },
    versionMs: five(() => milliseconds("--version")),
    inspectMs: five(() => milliseconds("inspect", folder)),
    load: { seconds: loads.map(({ seconds }) => round(seconds)), heldMB: round(loads[0].heldMB),
      peakResidentMB: Math.round(loads[0].peakResidentMB) },
  };
  console.log(JSON.stringify(report, null, 1));
  const results = fileURLToPath(new URL("results", import.meta.url));
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, `${report.date.slice(0, 10)}.json`), `${JSON.stringify(report, null, 1)}\n`);
} finally {
  if (!kept) rmSync(folder, { recursive: true });
}
