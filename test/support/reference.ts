import type { Tensor } from "@tensorflow/tfjs-core";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";

/** transformers' own outputs for the model in a folder of the form that the fixtures have. */
export async function reference(folder: string) {
  const store = await openTensors(join(folder, "expected.safetensors"));
  const values = (tensor: string) => store.values(tensor);
  const shape = (tensor: string) => store.info(tensor).shape;
  const rows = async (tensor: string): Promise<number[][]> => {
    const [B, T] = shape(tensor);
    const flat = await values(tensor);
    return Array.from({ length: B }, (_, b) => Array.from(flat.subarray(b * T, (b + 1) * T)));
  };
  return { names: [...store.names()], has: (tensor: string) => store.has(tensor), values, shape, rows,
    close: () => store.close() };
}

/**
 * Largest allowed difference is absolute + relative * |expected|, at rows where `real` is 1. A row is the last axis.
 * 1e-4 leaves at least five times the noise floor of float32 (fixtures README).
 */
export async function tensorClose(
  actual: Tensor,
  expected: Float32Array,
  what: string,
  { absolute = 1e-4, relative = 0, real }: { absolute?: number; relative?: number; real?: number[] } = {},
): Promise<void> {
  const seen = await actual.data();
  assert.is(seen.length, expected.length,
    `${what}: ${seen.length} numbers, expected ${expected.length} (shape ${actual.shape})`);
  const width = actual.shape[actual.shape.length - 1];
  let worst = 0, at = -1;
  for (let i = 0; i < seen.length; i++) {
    if (real && !real[Math.floor(i / width)]) continue;
    const excess = Math.abs(seen[i] - expected[i]) / (absolute + relative * Math.abs(expected[i]));
    if (!(excess <= worst)) [worst, at] = [excess, i];
  }
  assert.ok(worst <= 1,
    `${what}: ${seen[at]} instead of ${expected[at]} at flat index ${at} of shape [${actual.shape}], `
      + `${worst.toFixed(1)} times the tolerance`);
}
