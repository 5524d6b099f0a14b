import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { decodeBf16, encodeBf16 } from "../formats/bf16.js";
import { fused } from "../fused.js";

/**
 * The values rounded to bfloat16 (to nearest, ties to even), as a tensor like any other; weights of a checkpoint in
 * that
 * format lose nothing. The native engine holds them in two bytes each: products, row selections and views take them as
 * they are, and every operation computes in float32, so that results are the same on all back ends. Other back ends
 * round the values and hold them in four bytes.
 *
 * @returns a new tensor of dtype float32, without a gradient to `x`
 */
export async function asBfloat16(x: Tensor): Promise<Tensor> {
  if (fused.shorten) return fused.shorten(x);
  return tf.tensor(decodeBf16(encodeBf16(await x.data<"float32">())), x.shape);
}
