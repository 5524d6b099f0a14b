import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { decodeInto } from "./formats/decode-into.js";
import type { Dtype } from "./formats/dtype.js";

/** A float32 tensor in the making. */
export interface Filling {
  /** Numbers from position `at` on, converted on their way into the tensor's own memory: bytes are copied once. */
  put(at: number, bytes: Uint8Array, dtype: Dtype): void;
  /** The tensor; nothing can be put any more. */
  done(): Tensor;
  /** Gives up. */
  drop(): void;
}

/** How the active back end makes one in its own memory. */
export type StartFilling = (shape: number[]) => Filling;

let native: StartFilling | undefined;

/** Set when a back end becomes active that has one, unset when another does. */
export function setStartFilling(start: StartFilling | undefined): void {
  native = start;
}

/**
 * Starts a float32 tensor that is filled piece by piece, in any order. What was never put is undefined.
 *
 * @example
 * const weights = fillTensor([64, 2048]);
 * for (let expert = 0; expert < 64; expert++) weights.put(expert * 2048, bytes[expert], "BF16");
 * const tensor = weights.done();
 */
export function fillTensor(shape: number[]): Filling {
  const { put, done, drop } = native?.(shape) ?? inJavaScript(shape);
  let open = true;
  return {
    put(at, bytes, dtype) {
      if (!open) throw new Error("the tensor is finished or given up: nothing can be put into it");
      put(at, bytes, dtype);
    },
    done() {
      open = false;
      return done();
    },
    drop() {
      if (open) drop();
      open = false;
    },
  };
}

function inJavaScript(shape: number[]): Filling {
  const values = new Float32Array(tf.util.sizeFromShape(shape));
  return {
    put: (at, bytes, dtype) => decodeInto(values, at, bytes, dtype),
    done: () => tf.tensor(values, shape, "float32"),
    drop: () => {},
  };
}
