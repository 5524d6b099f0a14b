import * as tf from "@tensorflow/tfjs-core";
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelGroup } from "../kernel.js";
import { dtypes } from "../native.js";
import { nativeDtype } from "./elementwise.js";

/** Elements by number: gather, scatter, one-hot, segment sums. */
export const indexing: KernelGroup = (torch, define) => {
  const { native } = torch;
  const gatherShape = (x: TensorInfo, indices: TensorInfo, axis: number, batchDims: number) => {
    // checks the batch axes; its own result shape joins axes
    const batch = batchDims < 0 ? batchDims + indices.shape.length : batchDims;
    tf.backend_util.segment_util.collectGatherOpShapeInfo(x as tf.Tensor, indices as tf.Tensor, axis, batchDims);
    return { batchDims: batch,
      outputShape: [...x.shape.slice(0, axis), ...indices.shape.slice(batch), ...x.shape.slice(axis + 1)] };
  };

  define<tf.GatherV2Inputs, tf.GatherV2Attrs>(tf.GatherV2, ({ x, indices }, { axis, batchDims = 0 }) => {
    const [at] = tf.util.parseAxisParam(axis, x.shape);
    const { batchDims: batch, outputShape: shape } = gatherShape(x, indices, at, batchDims);
    return torch.moved(x, shape, (handle) => native.gather(handle, torch.handle(indices), at, batch));
  });
  define<tf.GatherNdInputs>(tf.GatherNd, ({ params, indices }) => {
    const coordinates = indices.shape[indices.shape.length - 1];
    const shape = [...indices.shape.slice(0, -1), ...params.shape.slice(coordinates)];
    return torch.output(native.gatherNd(torch.handle(params), torch.handle(indices)), shape, params.dtype);
  });

  const scattered = (
    shape: number[],
    value: number | TensorInfo,
    indices: TensorInfo,
    updates: TensorInfo,
    add: boolean,
    dtype = updates.dtype,
  ) => {
    const result = torch.chain((hold) => {
      const target = typeof value === "number"
        ? hold(native.full(value, dtypes[nativeDtype(dtype)], ...shape))
        : torch.handle(value);
      return native.scatter(target, torch.handle(indices), torch.handle(updates), add);
    });
    return torch.output(result, shape, dtype);
  };
  define<tf.ScatterNdInputs, tf.ScatterNdAttrs>(tf.ScatterNd,
    ({ indices, updates }, { shape }) => scattered(shape, 0, indices, updates, true));
  define<tf.TensorScatterUpdateInputs>(tf.TensorScatterUpdate,
    ({ tensor, indices, updates }) => scattered(tensor.shape, tensor, indices, updates, false, tensor.dtype));

  define<tf.UnsortedSegmentSumInputs, tf.UnsortedSegmentSumAttrs>(tf.UnsortedSegmentSum,
    ({ x, segmentIds }, { numSegments }) =>
      torch.output(native.segmentSum(torch.handle(x), torch.handle(segmentIds), numSegments), [numSegments,
        ...x.shape.slice(segmentIds.shape.length)], x.dtype));
  define<tf.OneHotInputs, tf.OneHotAttrs>(tf.OneHot,
    ({ indices }, { depth, onValue, offValue, dtype = "int32" }) =>
      torch.output(native.oneHot(torch.handle(indices), depth, onValue, offValue, dtypes[nativeDtype(dtype)]), [
        ...indices.shape,
        depth,
      ], dtype));
};
