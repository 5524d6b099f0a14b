// Memory of the kernel over a long notebook, in steps. Writes test/bench/kernel/results/DATE-growth.json.
// usage: node --import tsx test/bench/kernel/growth.ts [--cells 2000]. Build first: the kernel runs from dist/.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { KernelClient } from "../../../kernels/headless/kernel-client.js";
import { moelabSpec } from "../../../kernels/headless/kernel-spec.js";
import { rest, run } from "./measure.js";
import { peers } from "./peers.js";
import { residentMb } from "./process-tree.js";

const { values } = parseArgs({ options: { cells: { type: "string", default: "2000" } } });
const STEP = 250;
const { trivial, declaring } = peers({}).moelab!;
const folder = mkdtempSync(join(tmpdir(), "moelab-growth-"));
const kernel = await KernelClient.start(moelabSpec(), folder);

/** At once, and after a rest in which garbage is collected. */
async function memory(cells: number): Promise<{ cells: number; runningMb: number; restingMb: number }> {
  const runningMb = Math.round(residentMb(kernel.pid!));
  await rest();
  return { cells, runningMb, restingMb: Math.round(residentMb(kernel.pid!)) };
}

for (let i = 0; i < 100; i++) await run(kernel, trivial(i));
const steps = [await memory(0)];
for (let i = 0; i < Number(values.cells); i++) {
  await run(kernel, declaring(i));
  if ((i + 1) % STEP === 0) steps.push(await memory(i + 1));
}
await kernel.stop();
rmSync(folder, { recursive: true, force: true });
console.table(steps);
const file = join(dirname(fileURLToPath(import.meta.url)), "results",
  `${new Date().toISOString().slice(0, 10)}-growth.json`);
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file,
  `${JSON.stringify({ date: new Date().toISOString(), node: process.version, steps }, undefined, 1)}\n`);
process.exit(0);
