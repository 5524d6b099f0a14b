// The kernel beside others, alternating. Writes test/bench/kernel/results/DATE.json.
// usage: node --import tsx test/bench/kernel/run.ts [--rounds 5] [--python PATH] [--tslab PATH/bin/tslab] [--deno PATH]
// [--only NAME,NAME]
// PATH of a Python that has ipykernel. What is not given is not measured; of a kernel that is not measured, what the
// file of the
// same day has is kept. Build first: the kernel runs from dist/.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "../../../sdk/statistics/median.js";
import { measure, type Measured } from "./measure.js";
import { peers } from "./peers.js";

/**
 * What is asked of moelab's kernel; how far memory grows at all is in `growth.ts`. 500 cells may leave what they leave
 * in Deno, 20 MB.
 */
const TARGETS: Partial<Record<string, number>> = { readyMs: 1200, trivialCellMs: 8, idleMb: 250, shutdownMs: 500,
  "help.completeWorstMs": 200, "help.inspectWorstMs": 200, "long.growthMb": 20 };

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, python: { type: "string" }, tslab: { type: "string" },
    deno: { type: "string" }, only: { type: "string" } },
});
const here = dirname(fileURLToPath(import.meta.url));
const chosen = Object.entries(peers(values)).filter(([name]) => !values.only || values.only.split(",").includes(name));
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

const file = join(here, "results", `${new Date().toISOString().slice(0, 10)}.json`);
const before = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { versions: {}, rounds: {} };
const all: Record<string, Record<string, number>[]> = { ...before.rounds,
  ...Object.fromEntries(Object.entries(rounds).map(([name, measured]) => [name, measured.map((each) => flat(each))])) };
const medians = Object.fromEntries(
  Object.entries(all).map(
    ([name, runs]) => [name, Object.fromEntries(Object.keys(runs[0]!).map((key) => [key, median(runs.map((run) =>
      run[key]!
    ))]))]
  ),
);
console.table(medians);
for (const [key, target] of Object.entries(TARGETS))
  if (medians.moelab)
    console.log(
      `${key}: ${medians.moelab[key]}, target ${target}: ${medians.moelab[key]! <= target! ? "met" : "missed"}`,
    );

const report = {
  date: new Date().toISOString(),
  machine: { cpu: os.cpus()[0]!.model, cores: os.cpus().length, memoryGb: Math.round(os.totalmem() / 2 ** 30),
    node: process.version },
  load,
  versions: { ...before.versions,
    ...Object.fromEntries(Object.entries(rounds).map(([name, measured]) => [name, measured[0]!.version])) },
  targets: TARGETS,
  medians,
  /** TypeScript alone, without protocol and running */
  checking: values.only && !rounds.moelab ? before.checking : flat(JSON.parse(stdout)),
  rounds: all,
};
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, `${JSON.stringify(report, undefined, 1)}\n`);
process.exit(0);

/** Numbers by dotted name, to a tenth. */
function flat(measured: object, prefix = ""): Record<string, number> {
  return Object.assign({},
    ...Object.entries(measured).map(
      ([key,
        value]) => (typeof value === "number"
          ? { [prefix + key]: Math.round(value * 10) / 10 }
          : typeof value === "object"
          ? flat(value, `${prefix}${key}.`)
          : {})
    ));
}
