import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KernelClient } from "../../../kernels/headless/kernel-client.js";
import { median } from "../../../sdk/statistics/median.js";
import type { Peer } from "./peers.js";
import { residentMb } from "./process-tree.js";

const REST_MS = 3000;

export interface Measured {
  version: string;
  /** from the start of the process until kernel_info is answered and its messages arrive */
  readyMs: number;
  /** sent as soon as it is ready */
  firstCellMs: number;
  /** median of 100, until reply and idle status are there */
  trivialCellMs: number;
  idleMb: number;
  /**
   * 500 cells that each declare a name and use the one before: medians of the first and last fifty, memory before and
   * after
   */
  long: { firstMs: number; lastMs: number; growthMb: number };
  /** in another kernel, after its imports and 100 cells */
  help: { importMs: number; memoryMb: number; completeMs: number; completeWorstMs: number; inspectMs: number;
    inspectWorstMs: number };
  shutdownMs: number;
}

/** Starts a kernel twice: for the times of starting, running and ending, and for help while typing. */
export async function measure(peer: Peer): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), "moelab-bench-"));
  try {
    const { kernel, readyMs } = await start(peer, folder);
    const firstCellMs = await timed(() => run(kernel, peer.trivial(1)));
    await rest();
    const trivialCellMs = median(await times(100, (i) => run(kernel, peer.trivial(i))));
    await rest();
    const idleMb = residentMb(kernel.pid!);
    const long = await times(peer.cells ?? 500, (i) => run(kernel, peer.declaring(i)));
    await rest();
    const growthMb = residentMb(kernel.pid!) - idleMb;
    const version = `${kernel.info.implementation} ${kernel.info.implementation_version}, `
      + `${kernel.info.language_info?.name} ${kernel.info.language_info?.version}`;
    const shutdownMs = await timed(() => kernel.stop());
    const help = await measureHelp(peer, folder);
    return { version, readyMs, firstCellMs, trivialCellMs, idleMb,
      long: { firstMs: median(long.slice(0, 50)), lastMs: median(long.slice(-50)), growthMb }, help, shutdownMs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureHelp(peer: Peer, folder: string): Promise<Measured["help"]> {
  const { kernel } = await start(peer, folder);
  const importMs = await timed(() => run(kernel, peer.imports));
  for (let i = 0; i < 99; i++) await run(kernel, peer.declaring(i));
  const ask = (type: string, code: string) =>
    timed(() => kernel.request("shell", type, { code, cursor_pos: code.length, detail_level: 0 }).reply);
  const complete: number[] = [];
  const inspect: number[] = [];
  for (const code of peer.complete) complete.push(await ask("complete_request", code));
  for (const code of peer.inspect) inspect.push(await ask("inspect_request", code));
  await rest();
  const memoryMb = residentMb(kernel.pid!);
  await kernel.stop();
  return { importMs, memoryMb, completeMs: median(complete), completeWorstMs: Math.max(...complete),
    inspectMs: median(inspect), inspectWorstMs: Math.max(...inspect) };
}

async function start({ spec }: Peer, folder: string): Promise<{ kernel: KernelClient; readyMs: number }> {
  const started = performance.now();
  const kernel = await KernelClient.start(spec, folder);
  return { kernel, readyMs: performance.now() - started };
}

export async function run(kernel: KernelClient, code: string): Promise<void> {
  const { reply, idle } = kernel.execute(code);
  const [{ content }] = await Promise.all([reply, idle]);
  if (content.status !== "ok")
    throw new Error(`bench: the cell ${JSON.stringify(code)} ended with ${content.status} ${content.evalue ?? ""}`);
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

async function times(count: number, run: (i: number) => Promise<unknown>): Promise<number[]> {
  const all: number[] = [];
  for (let i = 0; i < count; i++) all.push(await timed(() => run(i)));
  return all;
}

export const rest = () => new Promise((resolve) => setTimeout(resolve, REST_MS));
