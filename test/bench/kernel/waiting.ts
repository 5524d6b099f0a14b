// What a cell waits for, in fresh kernels: the first cell of all, and the first import of the library, each sent as soon
// as the kernel is ready. Alternating; --before DIR is another checkout, built; --python PATH a Python with ipykernel, torch and
// transformers.
// usage: node --import tsx test/bench/kernel/waiting.ts [--rounds 5] [--before DIR] [--python PATH]
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { KernelClient } from "../../../kernels/headless/kernel-client.js";
import { type KernelSpec, moelabSpec } from "../../../kernels/headless/kernel-spec.js";
import { median } from "../../../sdk/statistics/median.js";
import { run } from "./measure.js";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, before: { type: "string" }, python: { type: "string" },
    out: { type: "string" } },
});
interface Waiting {
  spec: KernelSpec;
  imports: string;
  /** a first result of the library */
  chain?: string;
}
const ours = moelabSpec();
const typescript = { imports: "import { moe } from \"moelab\";",
  chain: "await moe.load(\"nano-switch-pron\").profile({ items: 8 })" };
const peers: Record<string, Waiting> = {
  moelab: { ...typescript, spec: ours },
  ...(values.before && {
    before: { ...typescript,
      spec: { ...ours,
        argv: ours.argv.map(
          (word) => (word.endsWith("main.js") ? join(values.before!, "dist/kernel/main.js") : word)
        ) } },
  }),
  ...(values.python && {
    ipykernel: { imports: "import torch, transformers",
      spec: { display_name: "Python", language: "python",
        argv: [values.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"] } },
  }),
};

const rounds: Record<string, Record<string, number>[]> = Object.fromEntries(
  Object.keys(peers).map((name) => [name, []]),
);
const load = [os.loadavg()[0]!];
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [name, peer] of round % 2 ? Object.entries(peers).reverse() : Object.entries(peers)) {
    const first = await fresh(peer.spec, ["1 + 1"]);
    const imported = await fresh(peer.spec, [peer.imports, ...(peer.chain ? [peer.chain] : [])]);
    const measured = { readyMs: first[0]!, firstCellMs: first[1]!, firstImportMs: imported[1]!,
      ...(peer.chain && { firstChainMs: imported[2]! }) };
    rounds[name]!.push(measured);
    console.log(round + 1, name, JSON.stringify(measured));
  }
}
load.push(os.loadavg()[0]!);
const medians = Object.fromEntries(
  Object.entries(rounds).map(
    ([name, all]) => [name, Object.fromEntries(Object.keys(all[0]!).map((key) => [key, median(all.map((each) =>
      each[key]!
    ))]))]
  ),
);
console.table(medians);
const file = values.out
  ?? join(dirname(fileURLToPath(import.meta.url)), "results", `${new Date().toISOString().slice(0, 10)}-waiting.json`);
mkdirSync(dirname(file), { recursive: true });
const machine = { cpu: os.cpus()[0]!.model, cores: os.cpus().length, memoryGb: Math.round(os.totalmem() / 2 ** 30),
  node: process.version };
writeFileSync(file,
  `${JSON.stringify({ date: new Date().toISOString(), machine, load, medians, rounds }, undefined, 1)}\n`);
process.exit(0);

/** Milliseconds until a new kernel is ready, then of each cell. */
async function fresh(spec: KernelSpec, cells: string[]): Promise<number[]> {
  const folder = mkdtempSync(join(os.tmpdir(), "moelab-bench-"));
  const all: number[] = [];
  let started = performance.now();
  const next = () => {
    const now = performance.now();
    all.push(Math.round(now - started));
    started = now;
  };
  const kernel = await KernelClient.start(spec, folder);
  next();
  for (const cell of cells) {
    await run(kernel, cell);
    next();
  }
  await kernel.stop();
  rmSync(folder, { recursive: true, force: true });
  return all;
}
