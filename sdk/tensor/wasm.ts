import * as tf from "@tensorflow/tfjs-core";
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import { registerEinsum } from "./kernels/einsum.js";
import { type KernelArgs, setWasmKernel, sharedTensor, type WasmBackend } from "./wasm/heap.js";
import { registerMatMul } from "./wasm/mat-mul.js";
import { registerOneHot } from "./wasm/one-hot.js";
import { registerRows } from "./wasm/rows.js";
import { registerSums } from "./wasm/sums.js";
import { registerTranspose } from "./wasm/transpose.js";

let replaced = false;

/** Replaces the kernels of the WebAssembly back end that are slow or wrong, and adds those that are missing. */
export function replaceWasmKernels(): void {
  if (replaced) return;
  replaced = true;
  registerTranspose();
  registerMatMul();
  registerRows();
  registerOneHot();
  registerSums();
  registerEinsum("wasm");
  refuseNullMemory(tf.backend() as unknown as WasmBackend);
  fetchBeforeLooking(tf.backend() as unknown as WasmBackend);
  // the back end copies where another name for the same memory is enough
  setWasmKernel("Identity", ({ inputs: { x }, backend }: KernelArgs<"x", unknown>) => sharedTensor(backend, x));
  // it calls integers float32 that it has sliced
  const stridedSlice = tf.getKernel("StridedSlice", "wasm").kernelFunc;
  setWasmKernel("StridedSlice",
    (args: KernelArgs<"x", unknown>) => ({ ...(stridedSlice(args as never) as TensorInfo),
      dtype: args.inputs.x.dtype }));
}

/**
 * Numbers that another back end made come over when they are first asked for, which may move the memory: the back end
 * takes its view before, which is detached then.
 */
function fetchBeforeLooking(backend: WasmBackend): void {
  const look = backend.typedArrayFromHeap.bind(backend);
  backend.typedArrayFromHeap = (tensor) => {
    backend.dataIdMap.get(tensor.dataId);
    return look(tensor);
  };
}

/**
 * Out of memory, the module's malloc returns 0 and the back end goes on to write there, over its own data.
 * A size above 2 GiB it may take for a negative one, and one of 4 GiB for 0.
 */
function refuseNullMemory(backend: WasmBackend): void {
  backend.wasm._malloc(1); // the first call replaces the function by the module's own
  const malloc = backend.wasm._malloc;
  backend.wasm._malloc = (sizeBytes) => {
    const at = sizeBytes <= 2 ** 31 ? malloc(sizeBytes) : 0;
    if (at === 0 && sizeBytes > 0) {
      throw new MoeError("out-of-memory",
        `tensor: no room for ${sizeBytes} bytes in WebAssembly, where a tensor ends at 2 GiB and all of them `
          + "at 4. Dispose tensors, use smaller batches, or build the native engine: npx moelab engine build.");
    }
    return at;
  };
}
