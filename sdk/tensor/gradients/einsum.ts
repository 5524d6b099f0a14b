import * as tf from "@tensorflow/tfjs-core";
import type { GradConfig, Tensor } from "@tensorflow/tfjs-core";

/**
 * The gradient of an operand is the einsum of dy and the other operand onto the operand's letters;
 * along a letter that only the operand has, and that was summed away, it is constant.
 */
export const einsum: GradConfig = {
  kernelName: "Einsum",
  // saved in the order of the operands, which TensorFlow.js hands over as "0", "1"
  saveAllInputs: true,
  gradFunc: (dy, operands, attrs) => {
    const [inputs, output] = (attrs.equation as string).replace(/\s/g, "").split("->");
    const terms = inputs.split(",");
    return Object.fromEntries(terms.map((term, i) => [String(i), () =>
      tf.tidy(() => {
        const others = operands.filter((_, j) => j !== i);
        const sources = [output, ...terms.filter((_, j) => j !== i)];
        const reached = [...term].filter((letter) => sources.some((source) => source.includes(letter))).join("");
        const found = tf.einsum(`${sources.join(",")}->${reached}`, dy as Tensor, ...others);
        const shape = [...term].map((letter, axis) => (reached.includes(letter) ? operands[i].shape[axis] : 1));
        return tf.broadcastTo(tf.reshape(found, shape), operands[i].shape as [number]);
      })]
    ));
  },
};
