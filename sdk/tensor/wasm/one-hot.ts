import type { DataType, TensorInfo } from "@tensorflow/tfjs-core";
import { type KernelArgs, setWasmKernel, sizeOf } from "./heap.js";

/**
 * tf.oneHot. The back end's own kernel writes whole numbers whatever the type, so a float32 result holds the bits of
 * integers. An index outside 0 … depth - 1 gives a row of `offValue`.
 */
export function registerOneHot(): void {
  setWasmKernel("OneHot",
    ({ inputs: { indices }, attrs, backend }: KernelArgs<"indices",
      { dtype?: DataType; depth: number; onValue: number; offValue: number }>): TensorInfo => {
      const { depth, onValue, offValue, dtype = "int32" } = attrs;
      const out = backend.makeOutput([...indices.shape, depth], dtype);
      const result = backend.typedArrayFromHeap(out).fill(offValue);
      const places = backend.typedArrayFromHeap(indices);
      for (let row = 0; row < sizeOf(indices.shape); row++) {
        const place = places[row];
        if (place >= 0 && place < depth) result[row * depth + place] = onValue;
      }
      return out;
    });
}
