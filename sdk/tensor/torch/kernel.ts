import * as tf from "@tensorflow/tfjs-core";
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { NOT_NATIVE, type TorchBackend } from "./backend.js";
import { runOnCpu } from "./cpu-fallback.js";

/** The inputs of a kernel as it gets them: TensorFlow.js declares even those optional that are always there. */
type Given<Inputs> = { [name in keyof Inputs]: NonNullable<Inputs[name]> };

/** Registers a kernel of the torch back end. */
export type Define = <Inputs = unknown, Attrs = unknown>(
  name: string,
  run: (inputs: Given<Inputs>, attrs: Attrs) => TensorInfo | TensorInfo[],
) => void;

/** The kernels of one topic. */
export type KernelGroup = (torch: TorchBackend, define: Define) => void;

/** Registers the kernels of all groups; tensors of strings and complex numbers go to the kernels in JavaScript. */
export function registerKernels(torch: TorchBackend, groups: KernelGroup[]): void {
  const define: Define = (kernelName, run) => {
    tf.registerKernel({
      kernelName,
      backendName: "torch",
      kernelFunc: ({ inputs, attrs }) => {
        try {
          return run(inputs as never, (attrs ?? {}) as never);
        } catch (error) {
          if (error === NOT_NATIVE) return runOnCpu(torch, kernelName, inputs, attrs);
          throw error;
        } finally {
          torch.dropWidened();
        }
      },
    });
  };
  for (const group of groups) group(torch, define);
}
