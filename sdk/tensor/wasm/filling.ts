import * as tf from "@tensorflow/tfjs-core";
import type { Filling } from "../filling.js";
import { decodeInto } from "../formats/decode-into.js";
import { view, type WasmBackend } from "./heap.js";

/** Fills tensors where they lie in the WebAssembly memory. */
export function startWasmFilling(shape: number[]): Filling {
  const backend = tf.backend() as unknown as WasmBackend;
  const output = backend.makeOutput(shape, "float32");
  return {
    // the view is taken anew each time: the memory may have grown and moved meanwhile
    put: (at, bytes, dtype) => decodeInto(view(backend, output), at, bytes, dtype),
    done: () => tf.engine().makeTensorFromTensorInfo(output),
    drop: () => void backend.disposeData(output.dataId),
  };
}
