import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import type { ExpertBank } from "./ops/expert-bank.js";

/**
 * Operations that a back end may do in one native call, each with its gradient. The functions in `ops/` use
 * the active back end's entry where it has one and compose the operation from plain TensorFlow.js otherwise;
 * shapes and meaning are documented there.
 */
export interface FusedOps {
  rmsNorm(x: Tensor, gain: Tensor, eps: number): Tensor;
  rotate(x: Tensor, cos: Tensor, sin: Tensor, interleaved: boolean): Tensor;
  attention(q: Tensor, k: Tensor, v: Tensor, options: { scale: number; causal: boolean; mask?: Tensor }): Tensor;
  /** per-row loss [N] */
  crossEntropy(logits: Tensor, labels: Tensor): Tensor;
  takeRows(x: Tensor, rows: Tensor): Tensor;
  topK(x: Tensor, k: number): { values: Tensor; indices: Tensor };
  experts(x: Tensor, choice: Tensor, gates: Tensor, bank: ExpertBank): Tensor;
  /** rounded to bfloat16 and held so */
  shorten(x: Tensor): Tensor;
  /** held in float64; from numbers or from a tensor */
  lengthen(x: Tensor | Float64Array, shape: number[]): Tensor;
  /** the numbers of a tensor without rounding them to float32 */
  doubles(x: Tensor): Float64Array;
  /** one AdamW step over all parameters, in place */
  adamW(
    params: Variable[],
    grads: Tensor[],
    first: Variable[],
    second: Variable[],
    step: number,
    options: { lr: number; beta1: number; beta2: number; eps: number; decay: number[]; clip?: number },
  ): void;
}

/** What the active back end brings; set when it becomes active, by `sdk/tensor/` alone. */
export let fused: Partial<FusedOps> = {};

export function setFused(ops: Partial<FusedOps>): void {
  fused = ops;
}
