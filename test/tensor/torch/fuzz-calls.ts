// Calls the addon's operations at random, with arguments that mostly make no sense. Every call must return or throw.
// usage: node --import tsx fuzz-calls.ts SEED CALLS; prints how many calls were answered and how many refused.
import { appendFileSync } from "node:fs";
import { Rng } from "../../../sdk/tensor/rng.js";
import { addonPath, findEngine } from "../../../sdk/tensor/torch/engine-folder.js";
import { type Handle, loadNative, type Native } from "../../../sdk/tensor/torch/native.js";

const [seed, calls] = process.argv.slice(2).map(Number);
const rng = new Rng(seed);
const below = (n: number) => Math.floor(rng.next() * n);
const pick = <T>(list: readonly T[]): T => list[below(list.length)];

const native = loadNative(addonPath(findEngine()!.folder)) as Native & Record<string, (...args: unknown[]) => unknown>;
native.memoryLimit(2e8);
const names = Object.keys(native).filter((name) =>
  !["memoryLimit", "threads", "keepHeap", "trimHeap", "resetPeak"].includes(name)
);

const live: Handle[] = [];
const released: Handle[] = [NaN, -1, -2, 1e15, 0.5, 3e9];
const arrays = [Float32Array, Int32Array, Uint8Array, Float64Array, Int16Array] as const;

function makeTensor(): void {
  const shape = Array.from({ length: below(5) }, () => pick([0, 1, 1, 2, 2, 3, 3, 4, 5, 8]));
  const size = shape.reduce((a, b) => a * b, 1);
  const [dtype, kind] = pick(
    [[0, Float32Array], [0, Float32Array], [0, Float32Array], [1, Int32Array], [1, Int32Array], [2, Uint8Array], [3,
      Float64Array], [8, Int8Array]] as const,
  );
  const values = new kind(size).map(
    () => (dtype === 2 ? below(2) : pick([0, 1, 2, -1, 3, 1e9, -2147483648, NaN, Infinity, 0.5]))
  );
  live.push(native.create(values as Float32Array, dtype, ...shape));
}

const tensor = () => (live.length === 0 || rng.next() < 0.04 ? pick(released) : pick(live));
const number = () =>
  pick([0, 0, 1, 1, 1, 2, 2, 3, -1, -2, 4, 5, 7, 100, 1e6, 2 ** 31, 2 ** 40, 2 ** 62, -(2 ** 62), 0.5, NaN, Infinity,
    -Infinity]);
const list = () => Float64Array.from({ length: below(4) }, tensor);
const junk = () =>
  pick([undefined, null, "text", "ij,jk->ik", {}, [], () => 0, 12n, Symbol.iterator, new Float32Array(below(9)),
    new Int32Array(below(9)), new DataView(new ArrayBuffer(8))]);

const made = (shape: number[], whole = false) => {
  const size = shape.reduce((a, b) => a * b, 1);
  const handle = native.create(
    whole ? new Int32Array(size).map(() => below(3)) : new Float32Array(size).map(() => rng.next()),
    whole ? 1 : 0,
    ...shape,
  );
  live.push(handle);
  return handle;
};
const listed = (values: number[]) => {
  const handle = native.create(Int32Array.from(values), 1, values.length);
  live.push(handle);
  return handle;
};
const bank = () => [made([3, 5, 4]), made([3, 4, 5]), pick([made([3, 5, 4]), -1]), -1, -1, pick([made([3, 4]), -1])];
const window = (axes: number) => [...Array(2 * axes).fill(1), ...Array(2 * axes).fill(0).map(() => below(2))];
/** Calls that are right, for operations that random arguments hardly ever fit. */
const templates: Record<string, () => unknown[]> = {
  rmsNorm: () => [made([2, 4]), made([4]), 1e-6],
  rmsNormGrad: () => [made([2, 4]), made([2, 4]), made([4]), made([2])],
  rotate: () => [made([2, 3, 4, 6]), made([4, 2]), made([4, 2]), below(2) === 0, below(2) === 0],
  fill: () => [made([3, 4]), below(14), new Float32Array(below(12)), 0],
  attention:
    () => [made([2, 4, 3, 8]), made([2, 2, 5, 8]), made([2, 2, 5, 8]), 0.5, false, pick([-1, made([1, 4, 3, 5])])],
  attentionGrad:
    () => [made([1, 2, 3, 8]), made([1, 2, 3, 8]), made([1, 2, 3, 8]), 0.5, true, -1, made([1, 2, 3, 8]),
      made([1, 2, 3, 8]), made([1, 2, 3])],
  attentionMaskGrad:
    () => [made([1, 2, 3, 8]), made([1, 2, 3, 8]), made([1, 2, 3, 8]), 0.5, true, made([3, 3]), made([1, 2, 3, 8]),
      made([1, 2, 3, 8]), made([1, 2, 3])],
  crossEntropy: () => [made([3, 4]), made([3], true)],
  crossEntropyGrad: () => [made([3]), made([3, 4]), made([3], true), made([3])],
  addRows: () => [made([3, 4]), made([3], true), 3],
  topkGrad: () => [made([3, 2]), made([3, 2], true), 4],
  experts: () => [made([6, 4]), made([6, 2], true), made([6, 2]), pick([1, 7, 8, 9]), ...bank()],
  expertsGrad:
    () => [made([2, 4]), made([2, 1]), 7, ...bank(), made([2, 4]), ...Array.from({ length: 3 }, () => made([2, 5])),
      made([2, 4]), listed([0, 1, 1, 2]), listed([0, 1]), listed([0, 1])],
  convolve: () => [made([2, 6, 6, 3]), made([2, 2, 3, 4]), true, false, ...window(2)],
  convolveInputGrad: () => [made([2, 5, 5, 4]), made([2, 2, 3, 4]), true, false, 1, 1, 1, 1, 0, 0, 0, 0, 2, 6, 6, 3],
  convolveFilterGrad: () => [made([2, 6, 6, 3]), made([2, 5, 5, 4]), true, false, 1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 3, 4],
  pool: () => [made([2, 6, 6, 3]), rng.next() < 0.5, ...window(2), 2, 2],
  poolGrad: () => [made([2, 5, 5, 3]), made([2, 6, 6, 3]), rng.next() < 0.5, 1, 1, 1, 1, 0, 0, 0, 0, 2, 2],
  gather: () => [made([3, 4]), made([2], true), 0, 0],
  gatherNd: () => [made([3, 4]), made([2, 2], true)],
  scatter: () => [made([3, 4]), made([2, 1], true), made([2, 4]), true],
  segmentSum: () => [made([3, 4]), made([3], true), 3],
  mirrorPad: () => [made([3, 4]), true, 1, 1, 1, 1],
  stridedSlice: () => [made([3, 4]), 0, 0, 3, 4, 1, 2],
  matmul: () => [made([2, 3, 4]), made([2, 4, 5]), false, false],
  searchSorted: () => [made([2, 4]), made([2, 3]), true],
  adamW: () => [...Array.from({ length: 4 }, () => Float64Array.of(made([3, 2]))), 1, 0.1, 0.9, 0.99, 1e-8, 0, 1],
  gradientNorm: () => [Float64Array.of(made([3, 2]))],
};
const templated = Object.keys(templates);

/** A call that is right but for up to two arguments. */
function nearlyRight(name: string): unknown[] {
  const args = templates[name]();
  for (let spoilt = below(3); spoilt > 0; spoilt--)
    args[below(args.length)] = pick([tensor, number, tensor, number, junk])();
  return args;
}

/** An argument list that starts the way the operation wants it more often than not. */
function argumentsOf(name: string): unknown[] {
  if (name === "create") return [new (pick(arrays))(below(9)), number(), ...Array.from({ length: below(4) }, number)];
  const lists = ["cat", "stack", "adamW", "gradientNorm"].includes(name) ? 1 : 0;
  const tensors = pick([1, 1, 2, 2, 3, 3, 4, 6, 17]);
  const start = lists
    ? (name === "adamW" ? [list(), list(), list(), list()] : [list()])
    : name === "einsum"
    ? [pick(["ij,jk->ik", "i,i", "bij->bji", "->", "é"]), list()]
    : Array.from({ length: tensors }, tensor);
  const rest = Array.from({ length: below(9) },
    () => (rng.next() < 0.35 ? rng.next() < 0.5 : rng.next() < 0.08 ? junk() : number()));
  return rng.next() < 0.05 ? rest : [...start, ...rest];
}

let answered = 0;
let refused = 0;
function written(a: unknown): string {
  if (typeof a === "number" && live.includes(a)) return `t[${native.shape(a)}]:${native.dtypeOf(a)}`;
  return typeof a === "symbol" ? "symbol" : typeof a === "bigint" ? "12n" : JSON.stringify(a);
}

for (let call = 0; call < calls; call++) {
  if (live.length < 12) makeTensor();
  while (live.length > 60) native.release(live.shift()!);
  const right = rng.next() < 0.5;
  const name = pick(right ? templated : names);
  const args = right ? nearlyRight(name) : argumentsOf(name);
  if (process.env.FUZZ_TRACE)
    appendFileSync(process.env.FUZZ_TRACE, `${call} ${name} ${args.map(written).join(" ")}\n`);
  try {
    const result = native[name](...args);
    if (result instanceof Promise) await result.catch(() => {});
    answered++;
    const results =
      ["create", "release", "read", "shape", "dtypeOf", "isSole", "memory", "adamW", "gradientNorm", "assign",
          "toFloat32", "fill", "readLater", "useDevice"].includes(name)
        ? []
        : ((Array.isArray(result) ? result : [result]) as Handle[]);
    if (name === "create") results.push(result as Handle);
    if (name === "release") live.splice(live.indexOf(args[0] as Handle), 1);
    if (name === "release") released.push(args[0] as Handle);
    for (const handle of results) {
      const size = native.shape(handle).reduce((a, b) => a * b, 1);
      if (size > 1e5 || live.length > 40) native.release(handle);
      else live.push(handle);
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    refused++;
  }
}
for (const handle of live) native.release(handle);
const [left] = native.memory();
console.log(JSON.stringify({ answered, refused, left }));
