import * as tf from "@tensorflow/tfjs-core";
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelGroup } from "../kernel.js";
import { handleList } from "../native.js";

type X = { x: TensorInfo };

/** Shape and order: views where the addon can, one copy otherwise. */
export const layout: KernelGroup = (torch, define) => {
  const { native } = torch;
  const reshaped = (x: TensorInfo, shape: number[]) =>
    torch.moved(x, shape, (handle) => native.reshape(handle, ...shape));

  define<X, tf.ReshapeAttrs>(tf.Reshape, ({ x }, { shape }) => {
    const size = tf.util.sizeFromShape(x.shape);
    const full = tf.util.inferFromImplicitShape(shape, size);
    tf.util.assert(size === tf.util.sizeFromShape(full),
      () =>
        `The new shape (${full}) has ${tf.util.sizeFromShape(full)} elements and the old shape (${x.shape}) `
        + `has ${size} elements. The new shape and old shape must have the same number of elements.`);
    return reshaped(x, full);
  });
  define<tf.ExpandDimsInputs, tf.ExpandDimsAttrs>(tf.ExpandDims, ({ input }, { dim }) => {
    const rank = input.shape.length;
    tf.util.assert(dim >= -(rank + 1) && dim <= rank, () => `Axis must be in the interval [${-(rank + 1)}, ${rank}]`);
    const at = dim < 0 ? rank + 1 + dim : dim;
    return reshaped(input, [...input.shape.slice(0, at), 1, ...input.shape.slice(at)]);
  });
  define<X, tf.TransposeAttrs>(tf.Transpose,
    ({ x }, { perm }) =>
      torch.moved(x, perm.map((axis) => x.shape[axis]), (handle) => native.permute(handle, ...perm)));
  define<X, tf.BroadCastToAttrs>(tf.BroadcastTo,
    ({ x }, { shape }) => torch.output(native.expand(torch.handle(x), ...shape), shape, x.dtype));
  define<X, tf.TileAttrs>(tf.Tile, ({ x }, { reps }) => {
    const shape = x.shape.map((size, axis) => size * reps[axis]);
    const repeat = reps.every((count, axis) => count === 1 || (x.shape[axis] === 1 && count > 0))
      ? native.expand(torch.handle(x), ...shape)
      : native.repeat(torch.handle(x), ...reps);
    return torch.output(repeat, shape, x.dtype);
  });
  define<X, tf.ReverseAttrs>(tf.Reverse,
    ({ x }, { dims }) =>
      torch.output(native.flip(torch.handle(x), ...tf.util.parseAxisParam(dims, x.shape)), x.shape, x.dtype));

  define<TensorInfo[], tf.ConcatAttrs>(tf.Concat, (inputs, { axis }) => {
    const parts = Object.values(inputs);
    const [at] = tf.util.parseAxisParam(axis, parts[0].shape);
    tf.backend_util.assertParamsConsistent(parts.map((x) => x.shape), at);
    const shape = tf.backend_util.computeOutShape(parts.map((x) => x.shape), at);
    // an empty part may have any shape that leaves the result empty along the axis, and torch is stricter
    const filled = parts.filter((x) => tf.util.sizeFromShape(x.shape) > 0);
    if (filled.length === 0)
      return torch.output(native.reshape(torch.handle(parts[0]), ...shape), shape, parts[0].dtype);
    return filled.length === 1
      ? torch.share(filled[0], shape)
      : torch.output(native.cat(handleList(filled.map((x) => torch.handle(x))), at), shape, parts[0].dtype);
  });
  define<TensorInfo[], tf.PackAttrs>(tf.Pack, (inputs, { axis }) => {
    const parts = Object.values(inputs);
    const { shape: each, dtype } = parts[0];
    parts.forEach((x) =>
      tf.util.assertShapesMatch(each, x.shape, "All tensors passed to stack must have matching shapes")
    );
    parts.forEach((x) =>
      tf.util.assert(dtype === x.dtype, () => "All tensors passed to stack must have matching dtypes")
    );
    const at = axis < 0 ? axis + each.length + 1 : axis;
    return torch.output(native.stack(handleList(parts.map((x) => torch.handle(x))), at), [...each.slice(0, at),
      parts.length, ...each.slice(at)], dtype);
  });
  define<tf.UnpackInputs, tf.UnpackAttrs>(tf.Unpack, ({ value }, { axis }) => {
    const [at] = tf.util.parseAxisParam(axis, value.shape);
    const shape = value.shape.filter((_, i) => i !== at);
    return Array.from({ length: value.shape[at] },
      (_, i) => torch.moved(value, shape, (handle) => native.select(handle, at, i)));
  });

  define<X, tf.SliceAttrs>(tf.Slice, ({ x }, { begin, size }) => {
    const [from, extent] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size);
    tf.slice_util.assertParamsValid(x, from, extent);
    return torch.moved(x, extent, (handle) => native.slice(handle, ...from, ...extent));
  });
  define<X, tf.SplitVAttrs>(tf.SplitV, ({ x }, { numOrSizeSplits, axis }) => {
    const [at] = tf.util.parseAxisParam(axis, x.shape);
    const handle = torch.handle(x);
    const begin = x.shape.map(() => 0);
    return tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, at).map((size) => {
      const shape = x.shape.map((full, i) => (i === at ? size : full));
      const part = torch.output(native.slice(handle, ...begin, ...shape), shape, x.dtype);
      begin[at] += size;
      return part;
    });
  });
  define<X, tf.StridedSliceAttrs>(tf.StridedSlice,
    ({ x }, { begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask }) => {
      const info = tf.slice_util.sliceInfo(x.shape, begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask,
        shrinkAxisMask);
      if (info.isIdentity || info.finalShape.some((size) => size === 0))
        return reshaped0(x, info.finalShape, info.isIdentity);
      const cut = torch.chain((hold) =>
        native.reshape(hold(native.stridedSlice(torch.handle(x), ...info.begin, ...info.end, ...info.strides)),
          ...info.finalShape)
      );
      return torch.output(cut, info.finalShape, x.dtype);
    });
  const reshaped0 = (x: TensorInfo, shape: number[], whole: boolean) =>
    whole
      ? reshaped(x, shape)
      : torch.output(torch.chain((hold) =>
        native.reshape(hold(native.slice(torch.handle(x), ...x.shape.map(() => 0), ...x.shape.map(() => 0))), ...shape)
      ), shape, x.dtype);

  define<X, tf.PadV2Attrs>(tf.PadV2,
    ({ x }, { paddings, constantValue }) =>
      torch.output(native.pad(torch.handle(x), constantValue, ...[...paddings].reverse().flat()),
        padded(x.shape, paddings), x.dtype));
  define<X, tf.MirrorPadAttrs>(tf.MirrorPad,
    ({ x }, { paddings, mode }) =>
      torch.output(native.mirrorPad(torch.handle(x), mode === "symmetric", ...paddings.flat()),
        padded(x.shape, paddings), x.dtype));

  define<X, tf.BatchToSpaceNDAttrs>(tf.BatchToSpaceND, ({ x }, { blockShape, crops }) => {
    const blocks = blockShape.reduce((a, b) => a * b);
    const opened = tf.backend_util.getReshaped(x.shape, blockShape, blocks);
    const order = tf.backend_util.getPermuted(opened.length, blockShape.length);
    const joined = tf.backend_util.getReshapedPermuted(x.shape, blockShape, blocks);
    const [begin, size] = tf.slice_util.parseSliceParams({ shape: joined } as tf.Tensor,
      tf.backend_util.getSliceBeginCoords(crops, blockShape.length),
      tf.backend_util.getSliceSize(joined, crops, blockShape.length));
    const result = torch.chain((hold) => {
      const moved = hold(native.permute(hold(native.reshape(torch.handle(x), ...opened)), ...order));
      return native.slice(hold(native.reshape(moved, ...joined)), ...begin, ...size);
    });
    return torch.output(result, size, x.dtype);
  });
  define<X, tf.SpaceToBatchNDAttrs>(tf.SpaceToBatchND, ({ x }, { blockShape, paddings }) => {
    const blocks = blockShape.reduce((a, b) => a * b);
    const widths = [[0, 0], ...paddings,
      ...Array.from({ length: x.shape.length - 1 - blockShape.length }, () => [0, 0])] as [number, number][];
    const full = padded(x.shape, widths);
    const opened = tf.backend_util.getReshaped(full, blockShape, blocks, false);
    const order = tf.backend_util.getPermuted(opened.length, blockShape.length, false);
    const shape = tf.backend_util.getReshapedPermuted(full, blockShape, blocks, false);
    const result = torch.chain((hold) => {
      const wide = hold(native.pad(torch.handle(x), 0, ...[...widths].reverse().flat()));
      return native.reshape(hold(native.permute(hold(native.reshape(wide, ...opened)), ...order)), ...shape);
    });
    return torch.output(result, shape, x.dtype);
  });
  define<X, tf.DepthToSpaceAttrs>(tf.DepthToSpace, ({ x }, { blockSize, dataFormat }) => {
    const nhwc = dataFormat === "NHWC";
    const [batch, height, width, depth] = nhwc ? x.shape : [x.shape[0], x.shape[2], x.shape[3], x.shape[1]];
    const channels = depth / (blockSize * blockSize);
    const opened = nhwc
      ? [batch, height, width, blockSize, blockSize, channels]
      : [batch, blockSize, blockSize, channels, height, width];
    const order = nhwc ? [0, 1, 3, 2, 4, 5] : [0, 3, 4, 1, 5, 2];
    const shape = nhwc
      ? [batch, height * blockSize, width * blockSize, channels]
      : [batch, channels, height * blockSize, width * blockSize];
    const result = torch.chain((hold) =>
      native.reshape(hold(native.permute(hold(native.reshape(torch.handle(x), ...opened)), ...order)), ...shape)
    );
    return torch.output(result, shape, x.dtype);
  });
};

function padded(shape: number[], widths: [number, number][]): number[] {
  return shape.map((size, axis) => size + widths[axis][0] + widths[axis][1]);
}
