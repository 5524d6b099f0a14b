// A checkpoint of OLMoE-1B-7B's shape, larger than the memory it is worked on in: profiled, merged from 64 to 32
// experts a
// layer with M-SMoE and weight matching, and written. Writes results/DATE.json when all 16 layers were run.
// usage: node --import tsx test/bench/out-of-core/run.ts [--layers 16] [--tokens 4096] [--memory 1GiB] [--folder DIR]
// [--keep]
// Needs 22 GB of disk in DIR (default: the folder for temporary files). The files leave the page cache before each
// part.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import os from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ByteFile } from "../../../sdk/checkpoint/byte-file.js";
import { openTensors } from "../../../sdk/checkpoint/safetensors.js";
import { TensorWriter } from "../../../sdk/checkpoint/write-safetensors.js";
import { from, load } from "../../../sdk/pipeline.js";
import { decode } from "../../../sdk/tensor/formats/index.js";
import { engineInfo, ready, Rng } from "../../../sdk/tensor/index.js";
import { native, setNativeLinalg } from "../../../sdk/tensor/linalg/native.js";
import { measureSpeed } from "../../../sdk/tensor/measure-speed.js";
import { generateCheckpoint, olmoe } from "./generate.js";

const { values: given } = parseArgs({
  options: { layers: { type: "string", default: "16" }, tokens: { type: "string", default: "4096" },
    memory: { type: "string", default: "1GiB" }, folder: { type: "string", default: os.tmpdir() },
    keep: { type: "boolean", default: false } },
});
const layers = Number(given.layers), tokens = Number(given.tokens);
const source = join(given.folder, `olmoe-shape-${layers}`), target = join(given.folder, `olmoe-shape-${layers}-merged`);
rmSync(target, { recursive: true, force: true });

/** seconds by part; what runs beside something else is not counted twice: see `timed` */
const seconds = { read: 0, decode: 0, assign: 0, write: 0 };
const bytes = { read: 0, written: 0 };

/** Adds the time of a call to a part. */
function timed<A extends unknown[], R>(part: keyof typeof seconds, call: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    const started = performance.now();
    const done = () => void (seconds[part] += (performance.now() - started) / 1000);
    const result = call(...args);
    if (result instanceof Promise) return result.finally(done) as R;
    done();
    return result;
  };
}

/** Time is taken where all bytes come and go. */
async function instrument(): Promise<void> {
  const { read } = ByteFile.prototype;
  ByteFile.prototype.read = function(start, end) {
    bytes.read += end - start;
    return read.call(this, start, end);
  };
  const store = Object.getPrototypeOf(await openTensors(source));
  const decoding = timed("decode", decode);
  store.values = async function(name: string, rows?: { start: number; end: number }) {
    const { dtype, shape, sizeBytes } = this.info(name);
    const rowBytes = sizeBytes / (shape[0] || 1);
    return decoding(await this.bytes(name, rows && { start: rows.start * rowBytes, end: rows.end * rowBytes }), dtype);
  };
  for (const method of ["write", "sync", "flush"] as const) {
    const call = TensorWriter.prototype[method] as (...args: unknown[]) => Promise<void>;
    TensorWriter.prototype[method] = function(this: TensorWriter, ...args: unknown[]) {
      if (method === "write") bytes.written += (args[0] as { bytes: Uint8Array }).bytes.length;
      return timed("write", call.bind(this))(...args);
    } as never;
  }
  if (native.assign) setNativeLinalg({ ...native, assign: timed("assign", native.assign) });
}

/**
 * A part of the work with its time. Waiting is what the process spent with nothing to compute: for the disk, but for
 * writes.
 */
async function part<T>(name: string, flops: number, work: () => Promise<T>): Promise<{ result: T; record: object }> {
  dropCache();
  Object.assign(seconds, { read: 0, decode: 0, assign: 0, write: 0 });
  Object.assign(bytes, { read: 0, written: 0 });
  const loop = performance.eventLoopUtilization();
  const started = performance.now();
  const result = await work();
  const wall = (performance.now() - started) / 1000;
  const idle = performance.eventLoopUtilization(loop).idle / 1000;
  const { decode, assign, write } = seconds;
  const waited = Math.max(0, idle - write);
  const record = {
    wallSeconds: round(wall),
    readSeconds: round(waited + decode),
    assignmentSeconds: round(assign),
    writeSeconds: round(write),
    computeSeconds: round(wall - waited - decode - assign - write),
    ofRead: { waitingSeconds: round(waited), decodingSeconds: round(decode) },
    readGB: round(bytes.read / 1e9),
    writtenGB: round(bytes.written / 1e9),
    gigaflops: Math.round(flops / 1e9),
    ofDiskReading: round(bytes.read / 1e9 / wall / disk.readGBPerSecond),
    ofDiskWriting: round(bytes.written / 1e9 / wall / disk.writeGBPerSecond),
    ofFlops: round(flops / 1e9 / wall / limit.productGflops),
    peakResidentGB: peakGB(),
  };
  console.log(name, JSON.stringify(record));
  return { result, record };
}

/** The system forgets what it holds of these files. */
function dropCache(): void {
  for (const name of readdirSync(source)) spawnSync("dd", [`if=${join(source, name)}`, "iflag=nocache", "count=0"]);
}

/** What the disk gives to this way of reading, and takes in one file that is flushed at its end. */
async function diskSpeed(): Promise<{ readGBPerSecond: number; writeGBPerSecond: number }> {
  dropCache();
  const name = readdirSync(source).find((file) => file.endsWith(".safetensors"))!;
  const file = await ByteFile.open(join(source, name));
  const size = Math.min(file.sizeBytes, 3e9), piece = 4 << 20;
  const started = performance.now();
  // four at a time, as many as the system's threads that read
  for (let at = 0; at + 4 * piece < size; at += 4 * piece)
    await Promise.all([0, 1, 2, 3].map((k) => file.read(at + k * piece, at + (k + 1) * piece)));
  const rate = size / 1e6 / (performance.now() - started);
  await file.close();
  return { readGBPerSecond: round(rate), writeGBPerSecond: round(await writeSpeed()) };
}

async function writeSpeed(): Promise<number> {
  const path = join(given.folder, "write-speed");
  const file = await open(path, "w");
  const piece = randomBytes(4 << 20);
  const started = performance.now();
  for (let k = 0; k < 256; k++) await file.write(piece);
  await file.datasync();
  const rate = (256 * piece.length) / 1e6 / (performance.now() - started);
  await file.close();
  rmSync(path);
  return rate;
}

/** The most memory that the process ever had, as the system counts it. */
function peakGB(): number {
  const status = existsSync("/proc/self/status")
    ? /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]
    : undefined;
  return round((status ? Number(status) : process.resourceUsage().maxRSS) * 1024 / 1e9);
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

/** Bytes of routed experts, whole, that were read since the counter stood at `before`; in units of their size. */
function readsOfExperts(
  store: { names(): Iterable<string>; info(name: string): { sizeBytes: number };
    readBytes?: ReadonlyMap<string, number> },
  before: ReadonlyMap<string, number>,
) {
  let size = 0, read = 0, most = 0;
  for (const name of store.names()) {
    if (!name.includes(".experts.")) continue;
    const { sizeBytes } = store.info(name);
    const own = (store.readBytes!.get(name) ?? 0) - (before.get(name) ?? 0);
    size += sizeBytes;
    read += own;
    most = Math.max(most, own / sizeBytes);
  }
  return { sizeGB: round(size / 1e9), timesRead: round(read / size), mostOfOneTensor: round(most) };
}

const started = performance.now();
const there = existsSync(join(source, "config.json"));
if (!there) await generateCheckpoint(source, layers);
const generatedSeconds = there ? undefined : round((performance.now() - started) / 1000);
const { backend } = await ready();
const limit = await measureSpeed();
const disk = await diskSpeed();
await instrument();
console.log(
  `${backend}, ${limit.productGflops.toFixed(0)} GFLOP/s, disk ${disk.readGBPerSecond} GB/s, resident `
    + `before ${peakGB()} GB`,
);
const residentBefore = peakGB();

const { hidden_size: D, intermediate_size: F, num_experts: E, num_experts_per_tok: K, vocab_size: V } = olmoe;
const T = 512;
const rng = new Rng("tokens");
const ids = Array.from({ length: tokens / T }, () => Array.from({ length: T }, () => rng.int(V)));
const half = Math.ceil(ids.length / 2);
const data = [ids.slice(0, half), ids.slice(half)].filter((rows) => rows.length).map((rows) => ({ ids: rows,
  labels: rows })
);

const study = await load(source, { memory: given.memory });
const { store } = study.state.opened as { store: Parameters<typeof readsOfExperts>[0] };
const fingerprint = await part("fingerprint", 0, () => study.model.weights.fingerprint());
const samples = new Map(store.readBytes);

const profiled = await part("profile", layers * tokens * (8 * D * D + 2 * T * D + 6 * K * D * F + 2 * D * E),
  async () => from(study).profile({ data }));
const afterProfile = readsOfExperts(store, samples);
const merged = await from(profiled.result).merge({ method: "m-smoe", keep: 0.5, ratio: "uniform" });
// every expert but the first of a layer is matched to it: three products of F x D and D x F
const saved = await part("merge and write", layers * (E - 1) * 6 * F * F * D, () => from(merged).save(target));
const experts = readsOfExperts(store, samples);

const report = {
  date: new Date().toISOString(),
  machine: { cpu: os.cpus()[0].model, cores: os.cpus().length, memoryGB: Math.round(os.totalmem() / 1e9),
    node: process.version, engine: engineInfo(), load: round(os.loadavg()[0]) },
  limits: { productGflops: round(limit.productGflops), diskReadGBPerSecond: disk.readGBPerSecond,
    diskWriteGBPerSecond: disk.writeGBPerSecond },
  checkpoint: { layers, experts: E, width: D, expertWidth: F,
    sizeGB: round(readdirSync(source).reduce((sum, name) => sum + statSync(join(source, name)).size, 0) / 1e9),
    shards: readdirSync(source).filter((name) => name.endsWith(".safetensors")).length, generatedSeconds },
  options: { tokens, memory: given.memory, method: "m-smoe", keep: 0.5, align: "weights" },
  parts: { fingerprint: fingerprint.record, profile: profiled.record, mergeAndWrite: saved.record },
  expertWeights: {
    ...experts,
    timesReadByProfile: afterProfile.timesRead,
    note: "times each byte was read; samples of 3 x 4 KiB of each tensor for the fingerprint come on top",
    samplesOfFingerprintGB: round(
      [...samples].reduce((sum, [name, read]) => sum + (name.includes(".experts.") ? read : 0), 0) / 1e9,
    ),
  },
  output: { sizeGB: round(saved.result.sizeBytes / 1e9), expertsPerLayer: 32 },
  peakResidentGB: { all: peakGB(), beforeTheWork: residentBefore },
};
console.log(JSON.stringify(report, null, 1));
if (layers === olmoe.num_hidden_layers) {
  const results = fileURLToPath(new URL("results", import.meta.url));
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, `${report.date.slice(0, 10)}.json`), `${JSON.stringify(report, null, 1)}\n`);
}
if (!given.keep) { for (const folder of [source, target]) rmSync(folder, { recursive: true, force: true }); }
process.exit(0);
