import type { Tensor } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import type { Dtype } from "../tensor/formats/dtype.js";
import { decode } from "../tensor/formats/index.js";
import { tf } from "../tensor/index.js";

/**
 * Bits of the exponent in a word of 32 bits: where all of one number are set, it is infinite or none. Of two numbers in
 * a word each is looked at by itself.
 */
const EXPONENTS: Partial<Record<Dtype, readonly number[]>> = { F32: [0x7f800000], BF16: [0x7f800000, 0x7f80],
  F16: [0x7c000000, 0x7c00] };

/**
 * Checks numbers of a weight as they are stored.
 * @param from the place of the first of them in the weight
 * @throws MoeError `not-finite`
 */
export function checkStored(name: string, shape: readonly number[], bytes: Uint8Array, dtype: Dtype, from = 0): void {
  if (bytes.byteOffset % 4 > 0 || bytes.length % 4 > 0 || !EXPONENTS[dtype] || hasNone(bytes, EXPONENTS[dtype]!))
    checkNumbers(name, shape, decode(bytes, dtype), from);
}

function hasNone({ buffer, byteOffset, length }: Uint8Array, [high, low = high]: readonly number[]): boolean {
  const words = new Uint32Array(buffer, byteOffset, length / 4);
  for (let at = 0; at < words.length; at++)
    if ((words[at] & high) === high || (words[at] & low) === low) return true;
  return false;
}

/** @throws MoeError `not-finite` with the weight, the row and what is there */
export function checkNumbers(name: string, shape: readonly number[], values: ArrayLike<number>, from = 0): void {
  for (let at = 0; at < values.length; at++) {
    if (values[at] - values[at] === 0) continue; // NaN of what is not finite
    const width = shape.slice(1).reduce((product, length) => product * length, 1) || 1;
    throw new MoeError("not-finite",
      `read: ${name} of shape [${shape}] holds ${values[at]} in row ${Math.floor((from + at) / width)}; accepted are `
        + "finite numbers. A training that failed or a conversion leaves such: make or fetch the checkpoint again.");
  }
}

/** The same of a tensor. */
export async function checkWeight(name: string, weight: Tensor): Promise<void> {
  if (!(await isFiniteSum(weight))) checkNumbers(name, weight.shape, await weight.data());
}

/**
 * Checks what a layer gives, [N, D].
 * @param real 1 for tokens that count, N of them; absent: all
 * @throws MoeError `not-finite` with the layer and the token
 */
export async function checkStream(layer: string, x: Tensor, T: number, real?: Uint8Array): Promise<void> {
  if (await isFiniteSum(x)) return;
  const values = await x.data();
  const width = x.size / x.shape[0];
  const at = values.findIndex((value, i) => !Number.isFinite(value) && real?.[Math.floor(i / width)] !== 0);
  if (at < 0) return;
  const token = Math.floor(at / width);
  throw new MoeError("not-finite",
    `forward: ${layer} gives ${values[at]} for token ${token % T} of row ${Math.floor(token / T)}; accepted are finite `
      + "numbers. Its weights are finite, so numbers grew beyond float32: look at their scale from this layer back.");
}

/** One number from the device; a sum that overflows alone is looked at again by the caller. */
async function isFiniteSum(x: Tensor): Promise<boolean> {
  const sum = tf.sum(x);
  const [value] = await sum.data();
  sum.dispose();
  return Number.isFinite(value);
}
