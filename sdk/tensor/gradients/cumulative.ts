import * as tf from "@tensorflow/tfjs-core";
import type { GradConfig, Tensor } from "@tensorflow/tfjs-core";

interface CumulativeAttrs {
  axis: number;
  exclusive: boolean;
  reverse: boolean;
}

/** Replaces TensorFlow.js's, which transposes the result along every axis but the last. */
export const cumsum: GradConfig = {
  kernelName: "Cumsum",
  gradFunc: (dy, _, attrs) => {
    const { axis, exclusive, reverse } = attrs as unknown as CumulativeAttrs;
    return { x: () => tf.cumsum(dy as Tensor, axis, exclusive, !reverse) };
  },
};

/**
 * y_i = x_0 ... x_i. With S_k = dy_k + x_(k+1) S_(k+1), dx_k = x_0 ... x_(k-1) S_k: no division, so zeros in x are
 * fine.
 * One operation per element of the axis.
 */
export const cumprod: GradConfig = {
  kernelName: "Cumprod",
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attrs) => {
    const { axis, exclusive, reverse } = attrs as unknown as CumulativeAttrs;
    return { x: () =>
      tf.tidy(() => {
        const turned = (t: Tensor) => (reverse ? tf.reverse(t, axis) : t);
        const values = turned(x);
        const n = x.shape[axis]!;
        const at = (t: Tensor, from: number, count: number) =>
          tf.slice(t, x.shape.map((_, i) => (i === axis ? from : 0)),
            x.shape.map((length, i) => (i === axis ? count : length)));
        const given = turned(dy as Tensor);
        // of exclusive products the first is 1 whatever x is, and the others lie one place later
        const late = exclusive ? tf.concat([at(given, 1, n - 1), tf.zerosLike(at(given, 0, 1))], axis) : given;
        const sums: Tensor[] = new Array(n);
        sums[n - 1] = at(late, n - 1, 1);
        for (let k = n - 2; k >= 0; k--) sums[k] = tf.add(at(late, k, 1), tf.mul(at(values, k + 1, 1), sums[k + 1]));
        return turned(tf.mul(tf.cumprod(values, axis, true), tf.concat(sums, axis)));
      }) };
  },
};
