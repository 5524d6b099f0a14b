import * as tf from "@tensorflow/tfjs-core";

/** Puts a kernel of ours in the place of a back end's, or adds it. */
export function setKernel(kernelName: string, backendName: string, kernelFunc: tf.KernelFunc): void {
  if (tf.getKernel(kernelName, backendName)) tf.unregisterKernel(kernelName, backendName);
  tf.registerKernel({ kernelName, backendName, kernelFunc });
}
