import * as tf from "@tensorflow/tfjs-core";
import type { TorchBackend } from "./torch/backend.js";
import type { Native } from "./torch/native.js";

/** What the watches that run have seen so far. */
const watches = new Set<{ peakBytes: number }>();

/**
 * Watches the memory of tensors, with what operations take for themselves, from now until the function that it gives is
 * called. Watches may overlap.
 *
 * @returns gives the most bytes that there were at a time; undefined on a back end that does not count them (all but
 *   torch)
 * @example
 * const peak = watchMemory();
 * await model.forward(batch);
 * peak();  // 8388608
 */
export function watchMemory(): () => number | undefined {
  const native = tf.getBackend() === "torch" ? (tf.findBackend("torch") as TorchBackend).native : undefined;
  if (!native) return () => undefined;
  look(native);
  const watch = { peakBytes: 0 };
  watches.add(watch);
  return () => {
    look(native);
    watches.delete(watch);
    return watch.peakBytes;
  };
}

/** Hands the peak since the last look to every watch. */
function look(native: Native): void {
  const [, , peakBytes] = native.memory();
  for (const watch of watches) watch.peakBytes = Math.max(watch.peakBytes, peakBytes);
  native.resetPeak();
}
