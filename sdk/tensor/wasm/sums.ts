import * as tf from "@tensorflow/tfjs-core";
import type { DataType, TensorInfo } from "@tensorflow/tfjs-core";
import { type KernelArgs, setWasmKernel, sharedTensor, sizeOf, type WasmBackend } from "./heap.js";
import { transpose } from "./transpose.js";

type Attrs = { axis: number | number[] | null; keepDims?: boolean };

/**
 * Sum and mean, added up in float64. The back end's own kernels add in float32 one after the other: the squares of
 * 400,000 gradients came out wrong in the fourth digit, and with them the norm by which gradients are clipped.
 */
export function registerSums(): void {
  setWasmKernel("Sum",
    ({ inputs: { x }, attrs, backend }: KernelArgs<"x", Attrs>) =>
      reduce(x, attrs, backend, x.dtype === "bool" ? "int32" : x.dtype, () => 1));
  setWasmKernel("Mean",
    ({ inputs: { x }, attrs, backend }: KernelArgs<"x", Attrs>) =>
      reduce(x, attrs, backend, "float32", (count) => count));
}

function reduce(
  x: TensorInfo,
  { axis, keepDims }: Attrs,
  backend: WasmBackend,
  dtype: DataType,
  divisor: (count: number) => number,
): TensorInfo {
  const axes = tf.util.parseAxisParam(axis as number | number[], x.shape);
  const isSummed = x.shape.map((_, i) => axes.includes(i));
  const kept = x.shape.filter((_, i) => !isSummed[i]);
  const count = sizeOf(x.shape.filter((_, i) => isSummed[i]));
  const leading = isSummed.every((summed, i) => summed === i < axes.length);
  const trailing = isSummed.every((summed, i) => summed === i >= x.shape.length - axes.length);
  const order = [false, true].flatMap((summed) => [...x.shape.keys()].filter((i) => isSummed[i] === summed));
  const input = leading || trailing ? sharedTensor(backend, x) : transpose(x, order, backend);
  const out = backend.makeOutput(keepDims ? x.shape.map((length, i) => (isSummed[i] ? 1 : length)) : kept, dtype);
  const [from, to] = [backend.typedArrayFromHeap(input), backend.typedArrayFromHeap(out)];
  if (leading && !trailing) sumColumns(from, to, count, divisor(count));
  else sumRows(from, to, count, divisor(count));
  backend.disposeData(input.dataId);
  return out;
}

type Numbers = Float32Array | Int32Array | Uint8Array;

function sumRows(from: Numbers, to: Numbers, count: number, divisor: number): void {
  for (let row = 0, at = 0; row < to.length; row++) {
    // four sums side by side: an addition waits for the one before it
    let [a, b, c, d] = [0, 0, 0, 0];
    const end = at + count;
    for (; at + 3 < end; at += 4) {
      a += from[at];
      b += from[at + 1];
      c += from[at + 2];
      d += from[at + 3];
    }
    for (; at < end; at++) a += from[at];
    to[row] = (a + b + (c + d)) / divisor;
  }
}

function sumColumns(from: Numbers, to: Numbers, count: number, divisor: number): void {
  const width = to.length;
  const sums = new Float64Array(width);
  for (let row = 0, at = 0; row < count; row++) for (let j = 0; j < width; j++) sums[j] += from[at++];
  for (let j = 0; j < width; j++) to[j] = sums[j] / divisor;
}
