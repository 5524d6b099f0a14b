import * as assert from "uvu/assert";
import { tf } from "../../sdk/tensor/index.js";

/** Runs a function and asserts that as many tensors live after it as before. */
export async function noLeaks<T>(run: () => T | Promise<T>): Promise<T> {
  const before = tf.memory().numTensors;
  const result = await run();
  assert.is(tf.memory().numTensors, before, `tensors alive: ${before} before, ${tf.memory().numTensors} after`);
  return result;
}
