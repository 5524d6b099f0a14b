import type { TensorInfo } from "@tensorflow/tfjs-core";
import { type KernelArgs, setWasmKernel, sharedTensor, type WasmBackend, words } from "./heap.js";

/** side of the squares in which a matrix is transposed, so that both sides stay in the cache */
const TILE = 16;

export function registerTranspose(): void {
  setWasmKernel("Transpose",
    ({ inputs: { x }, attrs: { perm }, backend }: KernelArgs<"x", { perm: number[] }>) => transpose(x, perm, backend));
}

export function transpose(x: TensorInfo, perm: number[], backend: WasmBackend): TensorInfo {
  const shape = perm.map((axis) => x.shape[axis]);
  const merged = mergeAxes(x.shape, perm);
  if (merged.length <= 1) return sharedTensor(backend, x, shape);
  const out = backend.makeOutput(shape, x.dtype);
  permute(words(backend, x), words(backend, out), merged);
  return out;
}

/** An axis of the output: how long, and how far apart its neighbours lie in the input. */
interface Axis {
  length: number;
  stride: number;
}

/**
 * Output axes, outermost first; those of length 1 are gone, and those that lie together in the input as well are one.
 */
function mergeAxes(shape: number[], perm: number[]): Axis[] {
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const axes: Axis[] = [];
  for (const axis of perm) {
    if (shape[axis] === 1) continue;
    const outer = axes[axes.length - 1];
    if (outer && outer.stride === strides[axis] * shape[axis])
      [outer.length, outer.stride] = [outer.length * shape[axis], strides[axis]];
    else axes.push({ length: shape[axis], stride: strides[axis] });
  }
  return axes;
}

type Words = Int32Array | Uint8Array;

function permute(from: Words, to: Words, axes: Axis[]): void {
  const last = axes[axes.length - 1];
  if (last.stride === 1) {
    overAll(axes.slice(0, -1), last.length, (source, target) => {
      for (let i = 0; i < last.length; i++) to[target + i] = from[source + i];
    });
    return;
  }
  // the last axis of the output strides through the input, and `near` the other way round
  const position = axes.findIndex(({ stride }) => stride === 1);
  const near = axes[position];
  const outStride = axes.slice(position + 1).reduce((size, { length }) => size * length, 1);
  const others = axes.slice(0, -1).filter((axis) => axis !== near);
  const outStrides = others.map((axis) =>
    axes.slice(axes.indexOf(axis) + 1).reduce((size, { length }) => size * length, 1)
  );
  overGrid(others, outStrides,
    (source, target) => transposeTiles(from, to, source, target, near.length, outStride, last.length, last.stride));
}

/** to[target + i * outStride + j] = from[source + j * inStride + i] */
function transposeTiles(
  from: Words,
  to: Words,
  source: number,
  target: number,
  rows: number,
  outStride: number,
  columns: number,
  inStride: number,
): void {
  for (let i0 = 0; i0 < rows; i0 += TILE) {
    const i1 = Math.min(rows, i0 + TILE);
    for (let j0 = 0; j0 < columns; j0 += TILE) {
      const j1 = Math.min(columns, j0 + TILE);
      for (let i = i0; i < i1; i++) {
        let at = target + i * outStride + j0;
        for (let j = j0, read = source + j0 * inStride + i; j < j1; j++, read += inStride) to[at++] = from[read];
      }
    }
  }
}

/** Visits every index of some outer axes whose inner part fills `inner` elements of the output without a gap. */
function overAll(axes: Axis[], inner: number, visit: (source: number, target: number) => void): void {
  overGrid(axes, axes.map((_, i) => axes.slice(i + 1).reduce((size, { length }) => size * length, inner)), visit);
}

function overGrid(
  axes: Axis[],
  outStrides: number[],
  visit: (source: number, target: number) => void,
  depth = 0,
  source = 0,
  target = 0,
): void {
  if (depth === axes.length) return visit(source, target);
  const { length, stride } = axes[depth];
  for (let i = 0; i < length; i++)
    overGrid(axes, outStrides, visit, depth + 1, source + i * stride, target + i * outStrides[depth]);
}
