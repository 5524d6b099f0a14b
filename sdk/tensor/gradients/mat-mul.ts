import * as tf from "@tensorflow/tfjs-core";
import type { GradConfig, Tensor } from "@tensorflow/tfjs-core";

/**
 * C = A B with either side transposed. An operand that was used for several matrices gets the sum of their gradients.
 */
export const matMul: GradConfig = {
  kernelName: "BatchMatMul",
  inputsToSave: ["a", "b"],
  gradFunc: (dy, [a, b], attrs) => {
    const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
    const d = dy as Tensor;
    return {
      a: () => (transposeA ? productFor(a, b, d, transposeB, true) : productFor(a, d, b, false, !transposeB)),
      b: () => (transposeB ? productFor(b, d, a, true, transposeA) : productFor(b, a, d, !transposeA, false)),
    };
  },
};

/** x y, summed over the batch axes along which the operand was repeated. */
function productFor(operand: Tensor, x: Tensor, y: Tensor, transposeX: boolean, transposeY: boolean): Tensor {
  return tf.tidy(() => {
    const shared = operand.rank === 2 || operand.shape.slice(0, -2).every((length) => length === 1);
    if (shared && x.rank > 2 && transposeX && !transposeY && sameBatch(x, y)) {
      // sum over b of x_b^T y_b is one product of all their rows
      const rows = (t: Tensor) => tf.reshape(t, [-1, t.shape[t.rank - 1]]);
      return tf.reshape(tf.matMul(rows(x), rows(y), true, false), operand.shape);
    }
    const product = tf.matMul(x, y, transposeX, transposeY);
    return tf.util.arraysEqual(product.shape, operand.shape) ? product : sumTo(product, operand.shape);
  });
}

function sameBatch(x: Tensor, y: Tensor): boolean {
  return x.rank === y.rank && x.shape.slice(0, -1).every((length, axis) => length === y.shape[axis]);
}

/** Sums the axes that broadcasting added or made longer. */
export function sumTo(x: Tensor, shape: number[]): Tensor {
  const extra = x.rank - shape.length;
  const axes = x.shape.map((_, axis) => axis).filter((axis) =>
    axis < extra || (shape[axis - extra] === 1 && x.shape[axis] !== 1)
  );
  return tf.reshape(axes.length > 0 ? tf.sum(x, axes) : x, shape);
}
