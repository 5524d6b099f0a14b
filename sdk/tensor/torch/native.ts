import { createRequire } from "node:module";
import type { Device } from "./device.js";

/** A tensor in the addon. A handle that was released is never valid again. */
export type Handle = number;

/** Stands for an absent tensor. */
export const NONE: Handle = -1;

/** The numbers of dtypes, in the order of `kDtypes` in native/runtime.h. */
export const dtypes = { float32: 0, int32: 1, bool: 2, float64: 3, int64: 4, bfloat16: 5, float16: 6, uint8: 7, int8: 8,
  int16: 9, float8_e4m3fn: 10, float8_e5m2: 11 } as const;

/** The numbers of activations, in the order of `activate` in native/elementwise.h. */
export const activations = { linear: 0, relu: 1, relu6: 2, elu: 3, sigmoid: 4, leakyrelu: 5, prelu: 6, silu: 7, gelu: 8,
  "gelu-tanh": 9, "relu-squared": 10 } as const;

export type UnaryName = "abs" | "acos" | "acosh" | "asin" | "asinh" | "atan" | "atanh" | "ceil" | "cos" | "cosh" | "elu"
  | "erf" | "exp" | "expm1" | "floor" | "isfinite" | "isinf" | "isnan" | "log" | "log1p" | "logical_not" | "neg"
  | "reciprocal" | "relu" | "round" | "rsqrt" | "selu" | "sigmoid" | "sign" | "silu" | "sin" | "sinh" | "softplus"
  | "sqrt" | "square" | "tan" | "tanh";

export type BinaryName = "add" | "atan2" | "bitwise_and" | "div" | "eluGrad" | "eq" | "floordiv" | "ge" | "gt" | "le"
  | "logical_and" | "logical_or" | "lt" | "maximum" | "minimum" | "mod" | "mul" | "ne" | "pow" | "prelu"
  | "squaredDifference" | "sub";

/** The addon's table of operations; each is described where it is written, in native/. */
export interface Native
  extends Record<UnaryName, (x: Handle) => Handle>, Record<BinaryName, (a: Handle, b: Handle) => Handle> {
  // memory.h
  create(values: NodeJS.TypedArray, dtype: number, ...shape: number[]): Handle;
  read<T extends NodeJS.TypedArray>(x: Handle, into: T): T;
  /** uninitialised */
  empty(dtype: number, ...shape: number[]): Handle;
  /** converts numbers of another format into a float32 tensor, from element `at` on */
  fill(x: Handle, at: number, values: NodeJS.TypedArray, dtype: number): void;
  /** read, with a promise */
  readLater<T extends NodeJS.TypedArray>(x: Handle, into: T): Promise<T>;
  /** what there is on this machine; a name makes new tensors go there */
  useDevice(name: string): Device[];
  release(x: Handle): void;
  shape(x: Handle): number[];
  dtypeOf(x: Handle): number;
  isSole(x: Handle): boolean;
  memory(): [liveTensors: number, bytes: number, peakBytes: number];
  /** counts the peak anew, from what is in use */
  resetPeak(): void;
  memoryLimit(bytes: number): void;
  threads(count: number): number;
  keepHeap(): void;
  /** absent in an addon that was built from older sources */
  trimHeap?(): void;
  clone(x: Handle): Handle;
  full(value: number, dtype: number, ...shape: number[]): Handle;
  // elementwise.h
  step(x: Handle, alpha: number): Handle;
  leakyRelu(x: Handle, alpha: number): Handle;
  clamp(x: Handle, least: number, most: number): Handle;
  cast(x: Handle, dtype: number): Handle;
  where(condition: Handle, x: Handle, y: Handle): Handle;
  activate(x: Handle, activation: number, alpha: number, slopes: Handle): Handle;
  sigmoidGrad(dy: Handle, y: Handle): Handle;
  softmaxGrad(dy: Handle, y: Handle, axis: number): Handle;
  activateGrad(dy: Handle, x: Handle, activation: number): Handle;
  // reduce.h
  sum(x: Handle, keep: boolean, dtype: number, ...axes: number[]): Handle;
  mean(x: Handle, keep: boolean, ...axes: number[]): Handle;
  max(x: Handle, keep: boolean, ...axes: number[]): Handle;
  min(x: Handle, keep: boolean, ...axes: number[]): Handle;
  prod(x: Handle, keep: boolean, ...axes: number[]): Handle;
  all(x: Handle, keep: boolean, ...axes: number[]): Handle;
  any(x: Handle, keep: boolean, ...axes: number[]): Handle;
  argmax(x: Handle, axis: number): Handle;
  argmin(x: Handle, axis: number): Handle;
  running(x: Handle, axis: number, exclusive: boolean, reverse: boolean, multiply: boolean): Handle;
  softmax(x: Handle, axis: number): Handle;
  logSoftmax(x: Handle, axis: number): Handle;
  topk(x: Handle, k: number): [values: Handle, indices: Handle];
  // layout.h
  reshape(x: Handle, ...shape: number[]): Handle;
  permute(x: Handle, ...axes: number[]): Handle;
  expand(x: Handle, ...shape: number[]): Handle;
  repeat(x: Handle, ...times: number[]): Handle;
  flip(x: Handle, ...axes: number[]): Handle;
  slice(x: Handle, ...beginAndSize: number[]): Handle;
  stridedSlice(x: Handle, ...beginEndStride: number[]): Handle;
  select(x: Handle, axis: number, index: number): Handle;
  cat(tensors: Float64Array, axis: number): Handle;
  stack(tensors: Float64Array, axis: number): Handle;
  pad(x: Handle, value: number, ...widthsLastAxisFirst: number[]): Handle;
  mirrorPad(x: Handle, symmetric: boolean, ...widths: number[]): Handle;
  gather(x: Handle, indices: Handle, axis: number, batchAxes: number): Handle;
  gatherNd(x: Handle, indices: Handle): Handle;
  scatter(target: Handle, indices: Handle, updates: Handle, add: boolean): Handle;
  segmentSum(x: Handle, ids: Handle, count: number): Handle;
  oneHot(indices: Handle, depth: number, on: number, off: number, dtype: number): Handle;
  nonzero(x: Handle): Handle;
  // products.h
  matmul(a: Handle, b: Handle, transposeA: boolean, transposeB: boolean): Handle;
  einsum(equation: string, tensors: Float64Array): Handle;
  convolve(x: Handle, filter: Handle, channelsLast: boolean, depthwise: boolean, ...window: number[]): Handle;
  convolveInputGrad(
    dy: Handle,
    filter: Handle,
    channelsLast: boolean,
    depthwise: boolean,
    ...windowAndShape: number[]
  ): Handle;
  convolveFilterGrad(
    x: Handle,
    dy: Handle,
    channelsLast: boolean,
    depthwise: boolean,
    ...windowAndShape: number[]
  ): Handle;
  pool(x: Handle, maximum: boolean, ...window: number[]): Handle;
  poolGrad(dy: Handle, x: Handle, maximum: boolean, ...window: number[]): Handle;
  searchSorted(sequence: Handle, values: Handle, right: boolean): Handle;
  // fused.h
  rmsNorm(x: Handle, gain: Handle, eps: number): [y: Handle, inverse: Handle];
  rmsNormGrad(dy: Handle, x: Handle, gain: Handle, inverse: Handle): [dx: Handle, dgain: Handle];
  /** the other way round with `back`; cos and sin: [T, r/2] */
  rotate(x: Handle, cos: Handle, sin: Handle, neighbours: boolean, back: boolean): Handle;
  attention(
    q: Handle,
    k: Handle,
    v: Handle,
    scale: number,
    causal: boolean,
    mask: Handle,
  ): [y: Handle, logSumExp: Handle];
  attentionGrad(
    q: Handle,
    k: Handle,
    v: Handle,
    scale: number,
    causal: boolean,
    mask: Handle,
    dy: Handle,
    y: Handle,
    logSumExp: Handle,
  ): [dq: Handle, dk: Handle, dv: Handle];
  attentionMaskGrad(
    q: Handle,
    k: Handle,
    v: Handle,
    scale: number,
    causal: boolean,
    mask: Handle,
    dy: Handle,
    y: Handle,
    logSumExp: Handle,
  ): Handle;
  crossEntropy(logits: Handle, labels: Handle): [loss: Handle, logSumExp: Handle];
  crossEntropyGrad(dy: Handle, logits: Handle, labels: Handle, logSumExp: Handle): Handle;
  addRows(x: Handle, rows: Handle, count: number): Handle;
  topkGrad(dy: Handle, indices: Handle, width: number): Handle;
  adamW(
    params: Float64Array,
    grads: Float64Array,
    first: Float64Array,
    second: Float64Array,
    step: number,
    lr: number,
    beta1: number,
    beta2: number,
    eps: number,
    decay: number,
    factor: number,
  ): void;
  /** the norm of all gradients together */
  gradientNorm(grads: Float64Array): number;
  // experts.h; bank: up, down, gate, upBias, gateBias, downBias
  experts(x: Handle, choice: Handle, gates: Handle, activation: number, ...bank: Handle[]): Handle[];
  expertsGrad(dy: Handle, gates: Handle, activation: number, ...bankAndSaved: Handle[]): Handle[];
  // linalg.h; matrices of float64
  svd(a: Handle): [u: Handle, s: Handle, v: Handle];
  eigh(a: Handle): [values: Handle, vectors: Handle];
  qr(a: Handle): [q: Handle, r: Handle];
  cholesky(a: Handle): Handle;
  solve(a: Handle, b: Handle): Handle;
  lstsq(a: Handle, b: Handle): Handle;
  assign(
    score: Float32Array | Float64Array,
    rows: number,
    columns: number,
    maximize: boolean,
    result: Int32Array,
  ): Int32Array;
  toFloat32(bytes: Uint8Array, dtype: number, result: Float32Array): Float32Array;
}

/** The names that the back end calls; an addon without one of them was built from older sources. */
const REQUIRED: (keyof Native)[] = ["create", "fill", "resetPeak", "readLater", "useDevice", "read", "release",
  "matmul", "running", "scatter", "convolve", "poolGrad", "rmsNorm", "rotate", "attention", "crossEntropy", "addRows",
  "topkGrad", "attentionMaskGrad", "adamW", "gradientNorm", "experts", "expertsGrad", "lstsq", "assign", "toFloat32"];

/** Loads a compiled addon. @throws Error with the loader's reason, or what it lacks */
export function loadNative(path: string): Native {
  // OpenMP reads this when it is loaded. Its threads spin for milliseconds by default while they wait, which on a busy
  // machine takes the time from the thread they wait for: a product of 0.6 ms took 44 ms beside seven other processes,
  // 3 ms with this setting.
  if (!process.env.OMP_WAIT_POLICY) process.env.GOMP_SPINCOUNT ??= "1000";
  const native = createRequire(import.meta.url)(path) as Native;
  const lacking = REQUIRED.filter((name) => typeof native[name] !== "function");
  if (lacking.length > 0) throw new Error(`it was compiled from other sources and has no ${lacking.join(", ")}`);
  return native;
}

export function handleList(handles: Handle[]): Float64Array {
  return Float64Array.from(handles);
}
