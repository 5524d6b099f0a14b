import type { DataType, KernelFunc, TensorInfo } from "@tensorflow/tfjs-core";
import { setKernel } from "../kernels/set-kernel.js";

/** The parts of TensorFlow.js's WebAssembly back end that our kernels use. */
export interface WasmBackend {
  wasm: {
    _BatchMatMul(
      a: number,
      aShape: number,
      aRank: number,
      b: number,
      bShape: number,
      bRank: number,
      transposeA: number,
      transposeB: number,
      out: number,
    ): void;
    _malloc(sizeBytes: number): number;
    HEAPU8: Uint8Array;
    HEAP32: Int32Array;
    tfjs: { registerTensor(id: number, size: number, memoryOffset: number): void; disposeData(id: number): void };
  };
  dataIdMap: { get(dataId: object): { id: number; memoryOffset: number } };
  dataIdNextNumber: number;
  incRef(dataId: object): void;
  makeOutput(shape: number[], dtype: DataType): TensorInfo;
  typedArrayFromHeap(tensor: TensorInfo): Float32Array | Int32Array | Uint8Array;
  disposeData(dataId: object): boolean;
}

export interface KernelArgs<Inputs extends string, Attrs> {
  inputs: Record<Inputs, TensorInfo>;
  attrs: Attrs;
  backend: WasmBackend;
}

/**
 * The numbers of a tensor as a view of the WebAssembly memory.
 * Take it after the output has been made: making one may move the memory.
 */
export function view(backend: WasmBackend, tensor: TensorInfo): Float32Array {
  return backend.typedArrayFromHeap(tensor) as Float32Array;
}

/** the same numbers, 32-bit types as they lie in memory, for kernels that only move them */
export function words(backend: WasmBackend, tensor: TensorInfo): Int32Array | Uint8Array {
  const array = backend.typedArrayFromHeap(tensor);
  return array instanceof Float32Array ? new Int32Array(array.buffer, array.byteOffset, array.length) : array;
}

/** Another name for the same memory. */
export function sharedTensor(backend: WasmBackend, x: TensorInfo, shape = x.shape): TensorInfo {
  backend.incRef(x.dataId);
  return { dataId: x.dataId, shape, dtype: x.dtype };
}

/** Puts a kernel of ours in the place of the back end's, or adds it. */
export function setWasmKernel<Inputs extends string, Attrs>(
  kernelName: string,
  run: (args: KernelArgs<Inputs, Attrs>) => TensorInfo | TensorInfo[],
): void {
  setKernel(kernelName, "wasm", run as unknown as KernelFunc);
}

export function sizeOf(shape: number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
