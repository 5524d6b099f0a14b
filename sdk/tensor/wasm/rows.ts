import * as tf from "@tensorflow/tfjs-core";
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { MoeError } from "../../errors.js";
import { type KernelArgs, setWasmKernel, sizeOf, view, words } from "./heap.js";

/** Gather and segment sum by rows: the back end's gather works element by element, and it has no segment sum. */
export function registerRows(): void {
  setWasmKernel("GatherV2",
    ({ inputs: { x, indices }, attrs, backend }: KernelArgs<"x" | "indices", { axis: number; batchDims: number }>) => {
      const axis = tf.util.parseAxisParam(attrs.axis, x.shape)[0];
      const shapes = tf.backend_util.segment_util.collectGatherOpShapeInfo(x as tf.Tensor, indices as tf.Tensor, axis,
        attrs.batchDims);
      const { batchSize, outerSize, dimSize, sliceSize } = shapes;
      const out = backend.makeOutput(shapes.outputShape, x.dtype);
      const [from, to, rows] = [words(backend, x), words(backend, out), words(backend, indices)];
      checkRows(rows, dimSize);
      const rowsPerBatch = rows.length / batchSize;
      let target = 0;
      for (let batch = 0; batch < batchSize; batch++)
        for (let outer = 0; outer < outerSize; outer++) {
          const start = (batch * outerSize + outer) * dimSize;
          for (let i = 0; i < rowsPerBatch; i++, target += sliceSize) {
            const source = (start + rows[batch * rowsPerBatch + i]) * sliceSize;
            for (let j = 0; j < sliceSize; j++) to[target + j] = from[source + j];
          }
        }
      return out;
    });

  setWasmKernel("UnsortedSegmentSum",
    ({ inputs: { x, segmentIds }, attrs: { numSegments }, backend }: KernelArgs<"x" | "segmentIds",
      { numSegments: number }>): TensorInfo => {
      const shape = [numSegments, ...x.shape.slice(segmentIds.shape.length)];
      const out = backend.makeOutput(shape, x.dtype);
      const [from, to, ids] = [view(backend, x), view(backend, out), words(backend, segmentIds)];
      const width = sizeOf(shape.slice(1));
      to.fill(0);
      for (let i = 0; i < ids.length; i++) {
        if (ids[i] < 0) continue; // as everywhere: a row with a negative number is left out
        if (ids[i] >= numSegments)
          throw new MoeError("segment-id",
            `unsortedSegmentSum: id ${ids[i]} at ${i} of ${numSegments} segments. Pass a larger numSegments.`);
        const [source, target] = [i * width, ids[i] * width];
        for (let j = 0; j < width; j++) to[target + j] += from[source + j];
      }
      return out;
    });
}

function checkRows(rows: ArrayLike<number>, count: number): void {
  for (let i = 0; i < rows.length; i++) {
    if (!(rows[i] >= 0 && rows[i] < count))
      throw new MoeError("gather-index",
        `gather: the index value ${rows[i]} at ${i} is not in [0, ${count - 1}]. Check what the indices were `
          + "made from.");
  }
}
