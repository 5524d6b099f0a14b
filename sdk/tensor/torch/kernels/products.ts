import * as tf from "@tensorflow/tfjs-core";
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { TorchBackend } from "../backend.js";
import type { KernelGroup } from "../kernel.js";
import { activations, type Handle, handleList, NONE } from "../native.js";
import { broadcast } from "./elementwise.js";

/** Matrix products, also with a bias and an activation. */
export const products: KernelGroup = (torch, define) => {
  const { native } = torch;

  const product = (a: TensorInfo, b: TensorInfo, transposeA: boolean, transposeB: boolean) => {
    const left = a.shape, right = b.shape, ra = left.length, rb = right.length;
    const rows = left[ra - (transposeA ? 1 : 2)], innerA = left[ra - (transposeA ? 2 : 1)];
    const innerB = right[rb - (transposeB ? 1 : 2)], columns = right[rb - (transposeB ? 2 : 1)];
    if (innerA !== innerB)
      throw new Error(
        `Error in matMul: inner shapes (${innerA}) and (${innerB}) of Tensors with shapes ${left} and `
          + `${right} and transposeA=${transposeA} and transposeB=${transposeB} must match.`,
      );
    const batch = ra === 2 && rb === 2 ? [] : broadcast(left.slice(0, -2), right.slice(0, -2));
    return { handle: native.matmul(torch.handle(a), torch.handle(b), transposeA, transposeB),
      shape: [...batch, rows, columns], dtype: a.dtype };
  };

  define<tf.BatchMatMulInputs, tf.BatchMatMulAttrs>(tf.BatchMatMul, ({ a, b }, { transposeA, transposeB }) => {
    const { handle, shape, dtype } = product(a, b, !!transposeA, !!transposeB);
    return torch.output(handle, shape, dtype);
  });
  define<tf._FusedMatMulInputs, tf._FusedMatMulAttrs>(tf._FusedMatMul,
    ({ a, b, bias, preluActivationWeights }, { transposeA, transposeB, activation, leakyreluAlpha }) => {
      const { handle, shape } = product(a, b, !!transposeA, !!transposeB);
      return torch.output(withEpilogue(torch, handle, bias, activation, leakyreluAlpha, preluActivationWeights), shape,
        "float32");
    });
  define<TensorInfo[], tf.EinsumAttrs>(tf.Einsum, (inputs, { equation }) => {
    const parts = Object.values(inputs);
    const { allDims, summedDims, idDims } = tf.backend_util.decodeEinsumEquation(equation, parts.length);
    tf.backend_util.checkEinsumDimSizes(allDims.length, idDims, parts as tf.Tensor[]);
    const sizes: number[] = [];
    idDims.forEach((ids, i) =>
      ids.forEach((id, axis) => {
        sizes[id] = parts[i].shape[axis];
      })
    );
    // the letters of the result come first in `allDims`, those that are summed after them
    const shape = allDims.map((_, id) => id).filter((id) => !summedDims.includes(id)).map((id) => sizes[id]);
    return torch.output(native.einsum(equation, handleList(parts.map((x) => torch.handle(x)))), shape, parts[0].dtype);
  });
};

/** Adds a bias and applies an activation to a product, whose handle it takes over. */
export function withEpilogue(
  torch: TorchBackend,
  product: Handle,
  bias?: TensorInfo,
  activation?: tf.backend_util.Activation | null,
  alpha = 0.2,
  slopes?: TensorInfo,
): Handle {
  const { native } = torch;
  return torch.chain((hold) => {
    let result = hold(product);
    if (bias) result = hold(native.add(result, torch.handle(bias)));
    if (activation && activation !== "linear")
      result = hold(native.activate(result, activations[activation], alpha, slopes ? torch.handle(slopes) : NONE));
    return result;
  });
}
