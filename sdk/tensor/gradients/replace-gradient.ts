import * as tf from "@tensorflow/tfjs-core";

/** Registers a gradient in the place of the one that TensorFlow.js has, if it has one. */
export function replaceGradient(config: tf.GradConfig): void {
  if (tf.getGradient(config.kernelName)) tf.unregisterGradient(config.kernelName);
  tf.registerGradient(config);
}
