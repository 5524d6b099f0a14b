import * as tf from "@tensorflow/tfjs-core";
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { TorchData } from "../backend.js";
import type { KernelGroup } from "../kernel.js";

/** Complex tensors are pairs; all that computes with them runs in JavaScript. */
export const complex: KernelGroup = (torch, define) => {
  define<tf.ComplexInputs>(tf.Complex, ({ real, imag }) => {
    const dataId = torch.write(null as unknown as Float32Array, real.shape, "complex64");
    dataId.parts = { real: torch.share(real), imag: torch.share(imag) };
    return { dataId, shape: real.shape, dtype: "complex64" };
  });
  const part = (input: TensorInfo, which: "real" | "imag") =>
    torch.share((input.dataId as TorchData).parts![which], input.shape);
  define<tf.RealInputs>(tf.Real, ({ input }) => part(input, "real"));
  define<tf.ImagInputs>(tf.Imag, ({ input }) => part(input, "imag"));
};
