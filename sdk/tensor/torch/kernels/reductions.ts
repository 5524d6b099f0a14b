import * as tf from "@tensorflow/tfjs-core";
import type { DataType, TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelGroup } from "../kernel.js";
import { dtypes, type Handle } from "../native.js";

type X = { x: TensorInfo };
interface ReduceAttrs {
  axis?: number | number[];
  reductionIndices?: number | number[];
  keepDims?: boolean;
}

/** Sums, extremes, running sums, softmax and top-k. */
export const reductions: KernelGroup = (torch, define) => {
  const { native } = torch;

  const reduction = (
    kernel: string,
    dtypeOf: (dtype: DataType) => DataType,
    run: (x: Handle, keep: boolean, dtype: DataType, axes: number[]) => Handle,
  ) =>
    define<X, ReduceAttrs>(kernel, ({ x }, { axis, reductionIndices, keepDims = false }) => {
      const axes = tf.util.parseAxisParam((axis ?? reductionIndices)!, x.shape);
      const shape = keepDims
        ? x.shape.map((size, i) => (axes.includes(i) ? 1 : size))
        : x.shape.filter((_, i) => !axes.includes(i));
      const dtype = dtypeOf(x.dtype);
      return torch.output(run(torch.handle(x), keepDims, dtype, axes), shape, dtype);
    });
  const countable = (dtype: DataType) => (dtype === "bool" ? "int32" : dtype);
  const same = (dtype: DataType) => dtype;
  reduction(tf.Sum, countable, (x, keep, dtype, axes) => native.sum(x, keep, dtypes[dtype as "int32"], ...axes));
  reduction(tf.Mean, () => "float32", (x, keep, _, axes) => native.mean(x, keep, ...axes));
  reduction(tf.Prod, countable, (x, keep, _, axes) => native.prod(x, keep, ...axes));
  reduction(tf.Max, same, (x, keep, _, axes) => native.max(x, keep, ...axes));
  reduction(tf.Min, same, (x, keep, _, axes) => native.min(x, keep, ...axes));
  reduction(tf.All, () => "bool", (x, keep, _, axes) => native.all(x, keep, ...axes));
  reduction(tf.Any, () => "bool", (x, keep, _, axes) => native.any(x, keep, ...axes));

  for (const [kernel, run] of [[tf.ArgMax, native.argmax], [tf.ArgMin, native.argmin]] as const) {
    define<X, tf.ArgMaxAttrs>(kernel, ({ x }, { axis }) => {
      const [only] = tf.util.parseAxisParam(axis, x.shape);
      return torch.output(run(torch.handle(x), only), x.shape.filter((_, i) => i !== only), "int32");
    });
  }
  for (const [kernel, multiply] of [[tf.Cumsum, false], [tf.Cumprod, true]] as const) {
    define<X, tf.CumsumAttrs>(kernel, ({ x }, { axis, exclusive, reverse }) =>
      torch.output(native.running(torch.handle(x), axis, !!exclusive, !!reverse, multiply), x.shape, x.dtype));
  }

  define<tf.SoftmaxInputs, tf.SoftmaxAttrs>(tf.Softmax,
    ({ logits }, { dim }) => torch.output(native.softmax(torch.handle(logits), dim), logits.shape, "float32"));
  // of sdk/tensor/gradients/activations.ts
  define<{ dy: TensorInfo; y: TensorInfo }, { dim: number }>("SoftmaxGrad",
    ({ dy, y }, { dim }) =>
      torch.output(native.softmaxGrad(torch.handle(dy), torch.handle(y), dim), y.shape, "float32"));
  define<{ dy: TensorInfo; y: TensorInfo }>("SigmoidGrad",
    ({ dy, y }) => torch.output(native.sigmoidGrad(torch.handle(dy), torch.handle(y)), y.shape, "float32"));

  define<tf.LogSoftmaxInputs, tf.LogSoftmaxAttrs>(tf.LogSoftmax,
    ({ logits }, { axis }) => torch.output(native.logSoftmax(torch.handle(logits), axis), logits.shape, "float32"));

  define<X, tf.TopKAttrs>(tf.TopK, ({ x }, { k }) => {
    const [values, indices] = native.topk(torch.handle(x), k);
    const shape = [...x.shape.slice(0, -1), k];
    return [torch.output(values, shape, x.dtype), torch.output(indices, shape, "int32")];
  });
  define<tf.SearchSortedInputs, tf.SearchSortedAttrs>(tf.SearchSorted,
    ({ sortedSequence, values }, { side }) =>
      torch.output(native.searchSorted(torch.handle(sortedSequence), torch.handle(values), side === "right"),
        values.shape, "int32"));
};
