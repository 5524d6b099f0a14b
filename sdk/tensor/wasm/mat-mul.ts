import type { TensorInfo } from "@tensorflow/tfjs-core";
import { MoeError } from "../../errors.js";
import { type KernelArgs, setWasmKernel, sizeOf, view, type WasmBackend } from "./heap.js";
import { transpose } from "./transpose.js";

interface MatMulAttrs {
  transposeA: boolean;
  transposeB: boolean;
}

/**
 * The back end's matrix product is fast for two plain matrices alone: anything transposed or batched goes through
 * scalar loops, 10 to 30 times slower. Here a transposed matrix is written out first, and a batch is a row of plain
 * products that read and write parts of the tensors in place.
 */
export function registerMatMul(): void {
  setWasmKernel("BatchMatMul",
    ({ inputs, attrs: { transposeA, transposeB }, backend }: KernelArgs<"a" | "b", MatMulAttrs>) => {
      const a = transposeA ? transpose(inputs.a, lastTwoSwapped(inputs.a.shape.length), backend) : inputs.a;
      const b = transposeB ? transpose(inputs.b, lastTwoSwapped(inputs.b.shape.length), backend) : inputs.b;
      const product = multiply(a, b, backend);
      if (transposeA) backend.disposeData(a.dataId);
      if (transposeB) backend.disposeData(b.dataId);
      return product;
    });
}

function lastTwoSwapped(rank: number): number[] {
  const perm = Array.from({ length: rank }, (_, i) => i);
  [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
  return perm;
}

function multiply(a: TensorInfo, b: TensorInfo, backend: WasmBackend): TensorInfo {
  const [m, k] = a.shape.slice(-2);
  const [k2, n] = b.shape.slice(-2);
  if (k !== k2 || a.dtype !== "float32" || b.dtype !== "float32") {
    throw new MoeError("mat-mul",
      `matMul: [${a.shape}] ${a.dtype} times [${b.shape}] ${b.dtype}; accepted are float32 matrices whose `
        + "inner lengths agree. Check the shapes and the transpose arguments.");
  }
  const [outerA, outerB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const outer = broadcast(outerA, outerB);
  const out = backend.makeOutput([...outer, m, n], "float32");
  if (sizeOf(out.shape) === 0 || k === 0) {
    view(backend, out).fill(0);
    return out;
  }
  if (sizeOf(outerB) === 1) {
    // one matrix on the right: the whole batch is one product
    plainProducts(backend, a, b, out, [0], [0], sizeOf(outer) === sizeOf(outerA) ? sizeOf(outerA) * m : m, k, n);
    return out;
  }
  plainProducts(backend, a, b, out, batchIndices(outerA, outer), batchIndices(outerB, outer), m, k, n);
  return out;
}

/** out[i] = a[aIndex[i]] b[bIndex[i]], each a plain product of parts that lie at the given places. */
function plainProducts(
  backend: WasmBackend,
  a: TensorInfo,
  b: TensorInfo,
  out: TensorInfo,
  aIndex: number[],
  bIndex: number[],
  m: number,
  k: number,
  n: number,
): void {
  const [aAt, bAt, outAt] = [a, b, out].map(({ dataId }) => backend.dataIdMap.get(dataId).memoryOffset);
  const shapes = shapeMemory(backend);
  backend.wasm.HEAP32.set([1, m, k, 1, k, n], shapes >>> 2);
  const part = (offset: number, size: number) => {
    const id = backend.dataIdNextNumber++;
    backend.wasm.tfjs.registerTensor(id, size, offset);
    return id;
  };
  aIndex.forEach((_, i) => {
    const ids = [part(aAt + 4 * m * k * aIndex[i], m * k), part(bAt + 4 * k * n * bIndex[i], k * n),
      part(outAt + 4 * m * n * i, m * n)];
    backend.wasm._BatchMatMul(ids[0], shapes, 3, ids[1], shapes + 12, 3, 0, 0, ids[2]);
    for (const id of ids) backend.wasm.tfjs.disposeData(id);
  });
}

const shapeMemories = new WeakMap<WasmBackend, number>();

/** room for two shapes of three numbers in the memory of the module */
function shapeMemory(backend: WasmBackend): number {
  let at = shapeMemories.get(backend);
  if (at === undefined) shapeMemories.set(backend, at = backend.wasm._malloc(24) >>> 0);
  return at;
}

function broadcast(a: number[], b: number[]): number[] {
  const rank = Math.max(a.length, b.length);
  const [x, y] = [a, b].map((shape) => [...new Array<number>(rank - shape.length).fill(1), ...shape]);
  return x.map((length, i) => {
    if (length !== y[i] && length !== 1 && y[i] !== 1) {
      throw new MoeError("mat-mul",
        `matMul: batch shapes [${a}] and [${b}]; accepted are equal lengths, or 1. Reshape one of them.`);
    }
    return length === 1 ? y[i] : length;
  });
}

/** for each matrix of the result, the number of the operand's matrix */
function batchIndices(shape: number[], outer: number[]): number[] {
  const padded = [...new Array<number>(outer.length - shape.length).fill(1), ...shape];
  let indices = [0];
  outer.forEach((length, axis) => {
    indices = indices.flatMap((index) =>
      Array.from({ length }, (_, i) => index * padded[axis] + (padded[axis] === 1 ? 0 : i))
    );
  });
  return indices;
}
