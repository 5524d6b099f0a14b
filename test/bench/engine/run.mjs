// The engine beside PyTorch, alternating. Writes test/bench/engine/results/DATE.json.
// usage: node --import tsx test/bench/engine/run.mjs [--python PATH] [--rounds 5] [--steps 20] [--sizes narrow,wide]
// Without a Python that has torch and SciPy, only the engine's own numbers are measured.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { sizes, stepFlops } from "./sizes.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const { values } = parseArgs({ options: { python: { type: "string" }, rounds: { type: "string", default: "5" }, steps: { type: "string", default: "20" }, sizes: { type: "string", default: "narrow,wide" } } });
const node = (script, ...args) => run(process.execPath, ["--import", "tsx", join(here, script), ...args], { MOELAB_BACKEND: "torch" });
// the setting that the engine has: waiting threads sleep instead of spinning
const python = (script, ...args) => (values.python ? run(values.python, [join(here, script), ...args], { GOMP_SPINCOUNT: "1000" }) : undefined);

function run(program, args, env) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env: { ...process.env, ...env } });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
  return JSON.parse(stdout.trim().split("\n").pop());
}
const middle = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

const report = { date: new Date().toISOString(), machine: { cpu: os.cpus()[0].model, cores: os.cpus().length, memoryGb: Math.round(os.totalmem() / 2 ** 30), node: process.version }, load: [os.loadavg()[0]], training: {}, operations: [] };
for (const size of values.sizes.split(",")) {
  const runs = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    // the order changes each round, so that neither side always runs on the warmer machine
    const pair = round % 2 ? { peer: python("train_step.py", size, values.steps), engine: node("train-step.ts", size, values.steps) } : { engine: node("train-step.ts", size, values.steps), peer: python("train_step.py", size, values.steps) };
    runs.push({ ...pair, load: os.loadavg()[0] });
    console.log(size, `engine ${pair.engine.tokensPerSecond}`, pair.peer ? `torch ${pair.peer.tokensPerSecond}, ratio ${(pair.engine.tokensPerSecond / pair.peer.tokensPerSecond).toFixed(2)}` : "", `load ${os.loadavg()[0].toFixed(1)}`);
  }
  const ratios = values.python ? runs.map(({ engine, peer }) => engine.tokensPerSecond / peer.tokensPerSecond) : [];
  report.training[size] = { runs, ratio: ratios.length ? { median: middle(ratios), least: Math.min(...ratios), most: Math.max(...ratios), best: Math.max(...runs.map(({ engine }) => engine.best)) / Math.max(...runs.map(({ peer }) => peer.best)) } : undefined };
}
report.operations.push({ engine: node("operations.ts"), peer: python("operations.py") });
report.load.push(os.loadavg()[0]);
const limit = report.operations[0].engine["matmul 2048, GF/s"];

for (const [size, result] of Object.entries(report.training)) {
  const { B, T } = sizes[size];
  const best = Math.max(...result.runs.map(({ engine }) => engine.best));
  result.limit = { gflops: Math.round((stepFlops(sizes[size]) * best) / (B * T) / 1e9), matmulGflops: limit };
}
const out = join(here, "results");
mkdirSync(out, { recursive: true });
writeFileSync(join(out, `${report.date.slice(0, 10)}.json`), JSON.stringify(report, undefined, 1) + "\n");
console.log(JSON.stringify(report.operations[0], undefined, 1));
