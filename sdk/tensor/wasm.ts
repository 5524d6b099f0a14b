import { registerMatMul } from "./wasm/mat-mul.js";
import { registerRows } from "./wasm/rows.js";
import { setKernel, sharedTensor, type KernelArgs } from "./wasm/heap.js";
import { registerTranspose } from "./wasm/transpose.js";

let replaced = false;

/** Replaces the kernels of the WebAssembly back end that are slow, and adds those that are missing. */
export function replaceWasmKernels(): void {
  if (replaced) return;
  replaced = true;
  registerTranspose();
  registerMatMul();
  registerRows();
  // the back end copies where another name for the same memory is enough
  setKernel("Identity", ({ inputs: { x }, backend }: KernelArgs<"x", unknown>) => sharedTensor(backend, x));
}
