import * as tf from "@tensorflow/tfjs-core";
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelGroup } from "../kernel.js";
import { dtypes } from "../native.js";
import { withEpilogue } from "./products.js";

type Conv2D = ReturnType<typeof tf.backend_util.computeConv2DInfo>;
type Conv3D = ReturnType<typeof tf.backend_util.computeConv3DInfo>;

/** Convolutions over two and three axes, plain and depthwise, with their gradients. */
export const convolution: KernelGroup = (torch, define) => {
  const { native } = torch;
  const { convertConv2DDataFormat, computeConv2DInfo, computeConv3DInfo } = tf.backend_util;
  const one = [1, 1] as [number, number];

  const plain = (
    xShape: number[],
    filterShape: number[],
    { strides, pad, dilations, dimRoundingMode, dataFormat = "NHWC" }: Partial<tf.FusedConv2DAttrs>,
    depthwise = false,
  ) =>
    computeConv2DInfo(xShape as Four, filterShape as Four, strides!, dilations ?? one, pad!, dimRoundingMode, depthwise,
      convertConv2DDataFormat(dataFormat as "NHWC"));
  const last = (info: Conv2D | Conv3D) => info.dataFormat === "channelsLast";
  const forward = (x: TensorInfo, filter: TensorInfo, info: Conv2D | Conv3D, depthwise = false) =>
    native.convolve(torch.handle(x), torch.handle(filter), last(info), depthwise, ...windowOf(info));

  define<tf.Conv2DInputs, tf.Conv2DAttrs>(tf.Conv2D, ({ x, filter }, attrs) => {
    const info = plain(x.shape, filter.shape, attrs);
    return torch.output(forward(x, filter, info), info.outShape, "float32");
  });
  define<tf.DepthwiseConv2dNativeInputs, tf.DepthwiseConv2dNativeAttrs>(tf.DepthwiseConv2dNative,
    ({ x, filter }, attrs) => {
      const info = plain(x.shape, filter.shape, attrs, true);
      return torch.output(forward(x, filter, info, true), info.outShape, "float32");
    });
  for (const [kernel, depthwise] of [[tf.FusedConv2D, false], [tf.FusedDepthwiseConv2D, true]] as const) {
    define<tf.FusedConv2DInputs, tf.FusedConv2DAttrs>(kernel, ({ x, filter, bias, preluActivationWeights }, attrs) => {
      const info = plain(x.shape, filter.shape, attrs, depthwise);
      // channels first: a bias and slopes of one axis belong to the second axis of the result
      const perChannel = (t?: TensorInfo) => (t && !last(info) && t.shape.length === 1 && t.shape[0] > 1
        ? torch.output(native.reshape(torch.handle(t), t.shape[0], 1, 1), [t.shape[0], 1, 1], t.dtype)
        : t);
      const [addend, slopes] = [perChannel(bias), perChannel(preluActivationWeights)];
      const result = withEpilogue(torch, forward(x, filter, info, depthwise), addend, attrs.activation,
        attrs.leakyreluAlpha, slopes);
      if (addend && addend !== bias)
        torch.disposeData(addend.dataId);
      if (slopes && slopes !== preluActivationWeights)
        torch.disposeData(slopes.dataId);
      return torch.output(result, info.outShape, "float32");
    });
  }
  define<tf.Conv2DBackpropInputInputs, tf.Conv2DBackpropInputAttrs>(tf.Conv2DBackpropInput,
    ({ dy, filter }, { inputShape, ...attrs }) => {
      const info = plain(inputShape, filter.shape, attrs);
      return torch.output(
        native.convolveInputGrad(torch.handle(dy), torch.handle(filter), last(info), false, ...windowOf(info),
          ...inputShape),
        inputShape,
        "float32",
      );
    });
  define<tf.Conv2DBackpropFilterInputs, tf.Conv2DBackpropFilterAttrs>(tf.Conv2DBackpropFilter,
    ({ x, dy }, { filterShape, ...attrs }) => {
      const info = plain(x.shape, filterShape, attrs);
      return torch.output(
        native.convolveFilterGrad(torch.handle(x), torch.handle(dy), last(info), false, ...windowOf(info),
          ...filterShape),
        filterShape,
        "float32",
      );
    });
  define<tf.DepthwiseConv2dNativeBackpropInputInputs, tf.DepthwiseConv2dNativeBackpropInputAttrs>(
    tf.DepthwiseConv2dNativeBackpropInput,
    ({ dy, filter }, { inputShape, ...attrs }) => {
      const info = plain(inputShape, filter.shape, attrs, true);
      return torch.output(
        native.convolveInputGrad(torch.handle(dy), torch.handle(filter), true, true, ...windowOf(info), ...inputShape),
        inputShape,
        "float32",
      );
    },
  );
  define<tf.DepthwiseConv2dNativeBackpropFilterInputs, tf.DepthwiseConv2dNativeBackpropFilterAttrs>(
    tf.DepthwiseConv2dNativeBackpropFilter,
    ({ x, dy }, { filterShape, ...attrs }) => {
      const info = plain(x.shape, filterShape, attrs, true);
      return torch.output(
        native.convolveFilterGrad(torch.handle(x), torch.handle(dy), true, true, ...windowOf(info), ...filterShape),
        filterShape,
        "float32",
      );
    },
  );

  const volume = (xShape: number[], filterShape: number[], { strides, pad, dilations = 1 }: Partial<tf.Conv3DAttrs>) =>
    computeConv3DInfo(xShape as Five, filterShape as Five, strides!, dilations, pad!);
  define<tf.Conv3DInputs, tf.Conv3DAttrs>(tf.Conv3D, ({ x, filter }, attrs) => {
    const info = volume(x.shape, filter.shape, attrs);
    return torch.output(forward(x, filter, info), info.outShape, "float32");
  });
  define<tf.Conv3DBackpropInputV2Inputs, tf.Conv3DBackpropInputV2Attrs>(tf.Conv3DBackpropInputV2,
    ({ dy, filter }, { inputShape, ...attrs }) => {
      const info = volume(inputShape, filter.shape, attrs);
      return torch.output(
        native.convolveInputGrad(torch.handle(dy), torch.handle(filter), true, false, ...windowOf(info), ...inputShape),
        inputShape,
        "float32",
      );
    });
  define<tf.Conv3DBackpropFilterV2Inputs, tf.Conv3DBackpropFilterV2Attrs>(tf.Conv3DBackpropFilterV2,
    ({ x, dy }, { filterShape, ...attrs }) => {
      const info = volume(x.shape, filterShape, attrs);
      return torch.output(
        native.convolveFilterGrad(torch.handle(x), torch.handle(dy), true, false, ...windowOf(info), ...filterShape),
        filterShape,
        "float32",
      );
    });

  const { computePool2DInfo, computePool3DInfo } = tf.backend_util;
  const pooled = (x: TensorInfo, maximum: boolean, info: Conv2D | Conv3D, size: number[]) => {
    if (info.outShape.some((extent) => extent === 0))
      return torch.output(native.full(0, dtypes.float32, ...info.outShape), info.outShape, x.dtype);
    // every back end of TensorFlow.js does so, even where padding moves the windows
    if (size.every((extent) => extent === 1) && tf.util.arraysEqual(x.shape, info.outShape)) return torch.share(x);
    return torch.output(native.pool(torch.handle(x), maximum, ...windowOf(info), ...size), info.outShape, x.dtype);
  };
  for (const [kernel, gradKernel, kernel3D, gradKernel3D, maximum] of [[tf.MaxPool, tf.MaxPoolGrad, tf.MaxPool3D,
    tf.MaxPool3DGrad, true], [tf.AvgPool, tf.AvgPoolGrad, tf.AvgPool3D, tf.AvgPool3DGrad, false]] as const) {
    define<tf.MaxPoolInputs, tf.MaxPoolAttrs>(kernel, ({ x }, { filterSize, strides, pad, dimRoundingMode }) => {
      const info = computePool2DInfo(x.shape as Four, filterSize, strides, one, pad, dimRoundingMode);
      return pooled(x, maximum, info, [info.filterHeight, info.filterWidth]);
    });
    define<tf.MaxPoolGradInputs, tf.MaxPoolGradAttrs>(gradKernel,
      ({ dy, input }, { filterSize, strides, pad, dimRoundingMode }) => {
        const info = computePool2DInfo(input.shape as Four, filterSize, strides, one, pad, dimRoundingMode);
        return torch.output(
          native.poolGrad(torch.handle(dy), torch.handle(input), maximum, ...windowOf(info), info.filterHeight,
            info.filterWidth),
          input.shape,
          "float32",
        );
      });
    define<tf.MaxPool3DInputs, tf.MaxPool3DAttrs>(kernel3D,
      ({ x }, { filterSize, strides, pad, dimRoundingMode, dataFormat }) => {
        const info = computePool3DInfo(x.shape as Five, filterSize, strides, 1, pad, dimRoundingMode, dataFormat);
        return pooled(x, maximum, info, [info.filterDepth, info.filterHeight, info.filterWidth]);
      });
    define<tf.MaxPool3DGradInputs, tf.MaxPool3DGradAttrs>(gradKernel3D,
      ({ dy, input }, { filterSize, strides, pad, dimRoundingMode }) => {
        const info = computePool3DInfo(input.shape as Five, filterSize, strides, 1, pad, dimRoundingMode);
        return torch.output(
          native.poolGrad(torch.handle(dy), torch.handle(input), maximum, ...windowOf(info), info.filterDepth,
            info.filterHeight, info.filterWidth),
          input.shape,
          "float32",
        );
      });
  }
};

type Four = [number, number, number, number];
type Five = [number, number, number, number, number];

/**
 * The numbers of a window in the addon's order: strides, dilations, padding before and after, each for all axes.
 * The padding after is what the shape of the result asks for, which covers every way of rounding.
 */
function windowOf(info: Conv2D | Conv3D): number[] {
  const axes = "inDepth" in info
    ? [
      axis(info.strideDepth, info.dilationDepth, info.padInfo.front, info.inDepth, info.outDepth,
        info.effectiveFilterDepth),
    ]
    : [];
  axes.push(
    axis(info.strideHeight, info.dilationHeight, info.padInfo.top, info.inHeight, info.outHeight,
      info.effectiveFilterHeight),
  );
  axes.push(
    axis(info.strideWidth, info.dilationWidth, info.padInfo.left, info.inWidth, info.outWidth,
      info.effectiveFilterWidth),
  );
  return [0, 1, 2, 3].flatMap((which) => axes.map((numbers) => numbers[which]));
}

function axis(
  stride: number,
  dilation: number,
  before: number,
  input: number,
  output: number,
  extent: number,
): number[] {
  return [stride, dilation, before, Math.max(0, (output - 1) * stride + extent - input - before)];
}
