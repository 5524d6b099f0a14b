import * as tf from "@tensorflow/tfjs";
import type { TensorInfo } from "@tensorflow/tfjs";
import { registerEinsum } from "./kernels/einsum.js";
import { setWasmKernel, sharedTensor, type KernelArgs } from "./wasm/heap.js";
import { registerMatMul } from "./wasm/mat-mul.js";
import { registerRows } from "./wasm/rows.js";
import { registerTranspose } from "./wasm/transpose.js";

let replaced = false;

/** Replaces the kernels of the WebAssembly back end that are slow or wrong, and adds those that are missing. */
export function replaceWasmKernels(): void {
  if (replaced) return;
  replaced = true;
  registerTranspose();
  registerMatMul();
  registerRows();
  registerEinsum("wasm");
  // the back end copies where another name for the same memory is enough
  setWasmKernel("Identity", ({ inputs: { x }, backend }: KernelArgs<"x", unknown>) => sharedTensor(backend, x));
  // it calls integers float32 that it has sliced
  const stridedSlice = tf.getKernel("StridedSlice", "wasm").kernelFunc;
  setWasmKernel("StridedSlice", (args: KernelArgs<"x", unknown>) => ({ ...(stridedSlice(args as never) as TensorInfo), dtype: args.inputs.x.dtype }));
}
