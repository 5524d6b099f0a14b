import type { Tensor } from "@tensorflow/tfjs";
import type { WeightSource } from "../checkpoint/weight-source.js";
import { fillTensor, type Filling } from "../tensor/filling.js";

/** A weight as a tensor. What the source has as it is stored is copied once on its way from the file to the device. */
export async function readWeight(source: WeightSource, name: string): Promise<Tensor> {
  const stored = source.bytes?.(name);
  if (!stored) return source.read(name);
  const { dtype, shape } = source.info(name);
  const bytes = await stored;
  const tensor = fillTensor(shape);
  try {
    tensor.put(0, bytes, dtype);
    return tensor.done();
  } finally {
    tensor.drop();
  }
}

/** Puts a weight into a larger tensor, from element `at` on. */
export async function putWeight(source: WeightSource, name: string, target: Filling, at: number): Promise<void> {
  const stored = await source.bytes?.(name);
  if (stored) target.put(at, stored, source.info(name).dtype);
  else putNumbers(await source.values(name), target, at);
}

export function putNumbers(values: Float32Array, target: Filling, at: number): void {
  target.put(at, new Uint8Array(values.buffer, values.byteOffset, values.byteLength), "F32");
}
