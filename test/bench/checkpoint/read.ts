// Sequential reading of a sharded bfloat16 checkpoint: bytes alone, decoded to float32, and one expert in sixteen by
// its range.
// usage: node --import tsx test/bench/checkpoint/read.ts [MB = 1024]   (MOELAB_BACKEND chooses where tensors go)
// Beside it, plain reading of the same files from end to end by node:fs, as many bytes at a time as a tensor has: into
// one buffer,
// which may stay in the processor's cache, and into fresh memory. All bytes come from its page cache when they fit
// there. Last line as JSON.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openTensors } from "../../../sdk/checkpoint/safetensors.js";
import { writeSharded } from "../../../sdk/checkpoint/write-sharded.js";
import { readWeight } from "../../../sdk/model/read-weight.js";
import type { WeightSource } from "../../../sdk/model/weight-source.js";
import { ready } from "../../../sdk/tensor/index.js";

await ready();
const totalBytes = Number(process.argv[2] ?? 1024) * 1e6;
const shape = [64, 1024, 256]; // experts, rows, columns of a fused tensor: 33.6 MB
const sizeBytes = 2 * shape.reduce((product, length) => product * length);
const tensors = Array.from({ length: Math.max(1, Math.round(totalBytes / sizeBytes)) },
  (_, layer) => ({ name: `layers.${layer}.experts.up`, dtype: "BF16" as const, shape }));
const content = new Uint8Array(sizeBytes).map((_, at) => (at * 2654435761) >>> 24);
const folder = mkdtempSync(join(process.env.MOELAB_BENCH_FOLDER ?? tmpdir(), "moelab-bench-"));

const rates: Record<string, number> = {};

/** Reads the shards from end to end. */
async function readPlainly(fresh: boolean): Promise<void> {
  const one = Buffer.alloc(sizeBytes);
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".safetensors"))) {
    const file = await open(join(folder, name), "r");
    while ((await file.read(fresh ? Buffer.allocUnsafeSlow(one.length) : one)).bytesRead > 0);
    await file.close();
  }
}

async function measure(what: string, bytes: number, work: () => Promise<unknown>): Promise<void> {
  const started = performance.now();
  const cpu = process.cpuUsage();
  await work();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  rates[what] = bytes / 1e9 / seconds;
  console.log(
    `${what.padEnd(24)} ${(bytes / 1e9 / seconds).toFixed(2).padStart(6)} GB/s  `
      + `${seconds.toFixed(2).padStart(6)} s  cpu ${((user + system) / 1e6).toFixed(2)} s  peak memory `
      + `${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`,
  );
}

try {
  const all = tensors.length * sizeBytes;
  console.log(`${tensors.length} tensors, ${(all / 1e9).toFixed(2)} GB, shards of 0.5 GB; node ${process.version}`);
  await measure("write, with fsync", all, () =>
    writeSharded(folder, tensors, tensors.map(({ name }) => ({ name, bytes: content })), { maxShardBytes: 5e8 }));
  await measure("plain, one buffer", all, () => readPlainly(false));
  await readPlainly(true); // the process grows to what this takes
  await measure("plain, fresh memory", all, () => readPlainly(true));
  const store = await openTensors(folder);
  await measure("read bytes", all, async () => {
    for (const { name } of tensors) await store.bytes(name);
  });
  const buffer = new Uint8Array(sizeBytes);
  await measure("read bytes, one buffer", all, async () => {
    for (const { name } of tensors) await store.bytes(name, undefined, buffer);
  });
  const source = { info: (name: string) => store.info(name),
    bytes: (name: string, rows?: { start: number; end: number }, into?: Uint8Array) =>
      store.bytes(name, rows && { start: (rows.start * sizeBytes) / shape[0], end: (rows.end * sizeBytes) / shape[0] },
        into) } as unknown as WeightSource;
  await measure("read tensors", all, async () => {
    for (const { name } of tensors) (await readWeight(source, name)).dispose();
  });
  await measure("read values", all, async () => {
    for (const { name } of tensors) await store.values(name);
  });
  await measure("read 4 experts of 64", all / 16, async () => {
    for (const { name } of tensors) await store.values(name, { start: 8, end: 12 });
  });
  await store.close();
  const share = (what: string, of: string) => rates[what] / rates[of];
  console.log(JSON.stringify({
    version: process.version,
    rates,
    results: {
      "bytes, of plain reading into fresh memory": share("read bytes", "plain, fresh memory"),
      "bytes into one buffer, of plain reading into one": share("read bytes, one buffer", "plain, one buffer"),
      "float32 tensors, of plain reading into fresh memory": share("read tensors", "plain, fresh memory"),
      "float32 arrays, of plain reading into fresh memory": share("read values", "plain, fresh memory"),
    },
  }));
} finally {
  rmSync(folder, { recursive: true });
}
