// The kernel beside others, alternating. Writes test/bench/kernel/results/DATE.json.
// usage: node --import tsx test/bench/kernel/run.ts [--rounds 5] [--python PATH] [--tslab PATH/bin/tslab] [--deno PATH] [--only NAME]
// PATH of a Python that has ipykernel. What is not given is not measured. Build first: the kernel runs from dist/.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { measure, median, type Measured } from "./measure.js";
import { peers } from "./peers.js";

/** What issue 5 asks of moelab's kernel. */
const TARGETS: Partial<Record<string, number>> = { readyMs: 1200, trivialCellMs: 8, idleMb: 250, shutdownMs: 500, "help.completeWorstMs": 200, "help.inspectWorstMs": 200 };

const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" }, python: { type: "string" }, tslab: { type: "string" }, deno: { type: "string" }, only: { type: "string" } } });
const here = dirname(fileURLToPath(import.meta.url));
const chosen = Object.entries(peers(values)).filter(([name]) => !values.only || name === values.only);
const rounds: Record<string, Measured[]> = Object.fromEntries(chosen.map(([name]) => [name, []]));
const load = [os.loadavg()[0]!];

for (let round = 0; round < Number(values.rounds); round++) {
  // the order turns, so that nobody always runs on the warmer machine
  for (const [name, peer] of round % 2 ? [...chosen].reverse() : chosen) {
    const measured = await measure(peer);
    rounds[name]!.push(measured);
    console.log(round + 1, name, JSON.stringify(flat(measured)));
  }
}
const { stdout } = spawnSync(process.execPath, ["--import", "tsx", join(here, "checking.ts")], { encoding: "utf8" });
load.push(os.loadavg()[0]!);

const medians = Object.fromEntries(Object.entries(rounds).map(([name, all]) => [name, Object.fromEntries(Object.keys(flat(all[0]!)).map((key) => [key, rounded(median(all.map((each) => flat(each)[key]!)))]))]));
console.table(medians);
for (const [key, target] of Object.entries(TARGETS)) if (medians.moelab) console.log(`${key}: ${medians.moelab[key]}, target ${target}: ${medians.moelab[key]! <= target! ? "met" : "missed"}`);

const report = {
  date: new Date().toISOString(),
  machine: { cpu: os.cpus()[0]!.model, cores: os.cpus().length, memoryGb: Math.round(os.totalmem() / 2 ** 30), node: process.version },
  load,
  versions: Object.fromEntries(Object.entries(rounds).map(([name, all]) => [name, all[0]!.version])),
  targets: TARGETS,
  medians,
  /** TypeScript alone, without protocol and running */
  checking: JSON.parse(stdout),
  rounds: Object.fromEntries(Object.entries(rounds).map(([name, all]) => [name, all.map((each) => Object.fromEntries(Object.entries(flat(each)).map(([key, value]) => [key, rounded(value)])))])),
};
mkdirSync(join(here, "results"), { recursive: true });
writeFileSync(join(here, "results", `${report.date.slice(0, 10)}.json`), `${JSON.stringify(report, undefined, 1)}\n`);
process.exit(0);

/** Numbers by dotted name. */
function flat(measured: object, prefix = ""): Record<string, number> {
  return Object.assign({}, ...Object.entries(measured).map(([key, value]) => (typeof value === "number" ? { [prefix + key]: value } : typeof value === "object" ? flat(value, `${prefix}${key}.`) : {})));
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
