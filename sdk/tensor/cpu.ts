import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { registerEinsum } from "./kernels/einsum.js";
import { setKernel } from "./kernels/set-kernel.js";

let repaired = false;

/**
 * Replaces what the plain JavaScript back end gets wrong: einsum over letters that one operand alone has, and batches
 * of which one side is repeated otherwise than as a whole.
 */
export function repairCpuKernels(): void {
  if (repaired) return;
  repaired = true;
  registerEinsum("cpu");
  const product = tf.getKernel("BatchMatMul", "cpu").kernelFunc;
  setKernel("BatchMatMul", "cpu", (args) => {
    const { a, b } = args.inputs as { a: Tensor; b: Tensor };
    const [outerA, outerB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
    const outer = tf.backend_util.assertAndGetBroadcastShape(outerA, outerB);
    if (cycles(outerA, outer) && cycles(outerB, outer)) return product(args);
    return tf.tidy(() => {
      const repeated = (x: Tensor) => tf.broadcastTo(x, [...outer, ...x.shape.slice(-2)] as [number]);
      return product({ ...args, inputs: { a: repeated(a), b: repeated(b) } }) as Tensor;
    });
  });
}

/** Whether running through the matrices of `shape` again and again gives those of `outer`: what the back end does. */
function cycles(shape: number[], outer: number[]): boolean {
  const own = shape.slice(shape.findIndex((length) => length !== 1));
  return shape.every((length) => length === 1)
    || own.every((length, i) => length === outer[outer.length - own.length + i]);
}
