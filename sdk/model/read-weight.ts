import type { Tensor } from "@tensorflow/tfjs-core";
import { type Filling, fillTensor } from "../tensor/filling.js";
import { checkNumbers, checkStored, checkWeight } from "./finite.js";
import type { WeightSource } from "./weight-source.js";

/** What is read at once: small enough to be in the processor's cache still when it is converted. */
const PIECE_BYTES = 4 << 20;
/** Memory that pieces are read into, used again and again; as many as there were reads at the same time. */
const staging: Uint8Array[] = [];

/** A weight as a tensor. What the source has as it is stored is copied once on its way from the file to the device. */
export async function readWeight(source: WeightSource, name: string): Promise<Tensor> {
  if (!source.bytes) return readNumbers(source, name);
  const tensor = fillTensor(source.info(name).shape);
  try {
    if (!(await putStored(source, name, tensor, 0))) return await readNumbers(source, name);
    return tensor.done();
  } finally {
    tensor.drop();
  }
}

async function readNumbers(source: WeightSource, name: string): Promise<Tensor> {
  const tensor = await source.read(name);
  try {
    await checkWeight(name, tensor);
    return tensor;
  } catch (error) {
    tensor.dispose();
    throw error;
  }
}

/** Puts a weight into a larger tensor, from element `at` on. */
export async function putWeight(source: WeightSource, name: string, target: Filling, at: number): Promise<void> {
  if (!(await putStored(source, name, target, at)))
    putNumbers(name, source.info(name).shape, await source.values(name), target, at);
}

export function putNumbers(
  name: string,
  shape: readonly number[],
  values: Float32Array,
  target: Filling,
  at: number,
): void {
  checkNumbers(name, shape, values);
  target.put(at, new Uint8Array(values.buffer, values.byteOffset, values.byteLength), "F32");
}

/** Piece by piece, by rows. @returns false where the source has only numbers */
async function putStored(source: WeightSource, name: string, target: Filling, at: number): Promise<boolean> {
  if (!source.bytes) return false;
  const { dtype, shape, sizeBytes } = source.info(name);
  const rows = shape[0] ?? 1;
  const width = shape.slice(1).reduce((product, n) => product * n, 1);
  const step = Math.max(1, Math.floor(PIECE_BYTES / (sizeBytes / Math.max(1, rows))));
  const buffer = staging.pop() ?? new Uint8Array(PIECE_BYTES);
  try {
    for (let start = 0; start < rows; start += step) {
      const end = Math.min(rows, start + step);
      const stored = await source.bytes(name, step < rows ? { start, end } : undefined, buffer);
      if (!stored) return false;
      checkStored(name, shape, stored, dtype, start * width);
      target.put(at + start * width, stored, dtype);
    }
    return true;
  } finally {
    staging.push(buffer);
  }
}
